package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/talaria-l2/talaria/l1/devl1"
)

// party is a node of a network: a process in its own namespace, which may be stopped, cut
// off and started again.
type party struct {
	name  string
	space *space
	dir   string   // wiped by wipe
	env   []string // NAME=value
	args  []string // of talaria
	*process
}

// start runs the party and waits for its line.
func (p *party) start(t *testing.T) {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if p.process, err = spawnBy(p.space.start, p.env, bin, append(p.args, "--json")...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.process.kill)
	line, err := p.line(startTimeout)
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	if !json.Valid([]byte(line)) {
		t.Fatalf("%s said %q", p.name, line)
	}
}

// wipe kills the party and removes all that it had on disk.
func (p *party) wipe(t *testing.T) {
	t.Helper()
	p.kill()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
}

// http is a client of the party in its namespace.
func (p *party) http() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: p.space.dial, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}, Timeout: 20 * time.Second}
}

// client is a JSON-RPC client of the party, until the test ends.
func (p *party) client(t *testing.T) *rpc.Client {
	t.Helper()
	c, err := rpc.DialOptions(t.Context(), nodeURL, rpc.WithHTTPClient(p.http()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// network is a sequencer with its L1 and batcher in one namespace, and nodes in others.
type network struct {
	wire        *wire
	leader      *party // the sequencer
	l1, batcher *party
	replicas    []*party // follow the feed
	validators  []*party

	genesis  string
	accounts []Account // with ether on L2
}

// Ports of the parties, and where each finds its node in its own namespace.
const (
	l1Port        = 8645
	nodePort      = 8545
	feedPort      = 8547
	validatorPort = 8747

	nodeURL = "http://127.0.0.1:8545"
)

// leaderIP is the address of the sequencer's namespace.
var leaderIP = net.IPv4(10, 77, 0, 1)

// newNetwork makes the namespaces and starts the sequencer with its L1 and batcher. The
// others are made, not started.
func newNetwork(t *testing.T, replicas, validators int, delay time.Duration, loss float64) *network {
	t.Helper()
	needNamespaces(t)
	home := t.TempDir()
	n := &network{genesis: filepath.Join(home, "genesis.json"), accounts: testAccounts()}
	lead := newSpace(t, leaderIP)
	spaces := []*space{lead}
	add := func(role string, i int, port uint16, flags ...string) *party {
		s := newSpace(t, net.IPv4(10, 77, 0, byte(1+len(spaces))))
		spaces = append(spaces, s)
		p := &party{name: fmt.Sprintf("%s %d", role, i), space: s, dir: filepath.Join(home, fmt.Sprintf("%s%d", role, i))}
		p.args = append([]string{role, "--genesis", n.genesis, "--datadir", p.dir, "--port", fmt.Sprint(port),
			"--l1-url", fmt.Sprintf("http://%s:%d", leaderIP, l1Port),
			"--feed-url", fmt.Sprintf("nats://%s:%d", leaderIP, feedPort),
			"--leader-url", fmt.Sprintf("http://%s:%d", leaderIP, nodePort)}, flags...)
		return p
	}
	for i := range replicas {
		n.replicas = append(n.replicas, add("replica", i, nodePort, "--mode", "diff", "--feed-connections", "3"))
	}
	for i := range validators {
		n.validators = append(n.validators, add("validator", i, validatorPort))
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("packets are lost by seed %d", seed)
	n.wire = newWire(t, seed, delay, loss, spaces...)
	n.startLeader(t, lead, home)
	return n
}

// startLeader starts an L1, makes a chain on it, and starts its sequencer and batcher.
func (n *network) startLeader(t *testing.T, lead *space, home string) {
	t.Helper()
	n.l1 = &party{name: "l1", space: lead, dir: filepath.Join(home, "l1")}
	n.l1.args = []string{"l1", "--host", "0.0.0.0", "--port", fmt.Sprint(l1Port), "--datadir", n.l1.dir}
	n.l1.start(t)
	l1URL := fmt.Sprintf("http://127.0.0.1:%d", l1Port)
	deployer, sequencer, batcher := n.accounts[9], n.accounts[8], n.accounts[7]
	args := []string{"genesis", "--out", n.genesis, "--l1-url", l1URL, "--development", "--sequencer", sequencer.Address.Hex(), "--batcher", batcher.Address.Hex()}
	for _, a := range n.accounts[:7] {
		args = append(args, "--gift", a.Address.Hex()+"=1000")
	}
	made := &party{name: "genesis", space: lead, env: []string{"TALARIA_DEPLOYER_KEY=" + deployer.PrivateKey}, args: args}
	made.start(t)
	<-made.exited
	if made.err != nil {
		t.Fatalf("genesis: %v: %s", made.err, made.stderr)
	}
	n.leader = &party{name: "sequencer", space: lead, dir: filepath.Join(home, "sequencer"), env: []string{"TALARIA_SEQUENCER_KEY=" + sequencer.PrivateKey}}
	n.leader.args = []string{"sequencer", "--genesis", n.genesis, "--datadir", n.leader.dir, "--l1-url", l1URL, "--l1-confirmations", "0",
		"--host", "0.0.0.0", "--port", fmt.Sprint(nodePort), "--ingest-port", "-1", "--feed-port", fmt.Sprint(feedPort), "--feed-public"}
	n.leader.start(t)
	n.batcher = &party{name: "batcher", space: lead, env: []string{"TALARIA_BATCHER_KEY=" + batcher.PrivateKey}}
	n.batcher.args = []string{"batcher", "--genesis", n.genesis, "--node-url", nodeURL, "--l1-url", l1URL, "--batch-ms", "1000", "--calldata"} // proofs of blobs would take the processors that all share
	n.batcher.start(t)
}

// parties are all, in the order in which they are stopped.
func (n *network) parties() []*party {
	return slices.Concat(n.validators, n.replicas, []*party{n.batcher, n.leader, n.l1})
}

// testAccounts are the ten of the well-known mnemonic, whom the embedded L1 gives ether.
func testAccounts() []Account {
	var out []Account
	for _, k := range devl1.Keys(devl1.DevAccounts) {
		out = append(out, Account{crypto.PubkeyToAddress(k.PublicKey), hexutil.Encode(crypto.FromECDSA(k))})
	}
	return out
}
