package e2e

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// DevnetInfo is what `talaria devnet` writes to devnet.json in its data directory
// and, with --json, prints on one line of standard output when everything is ready.
type DevnetInfo struct {
	L2        L2Info    `json:"l2"`
	L1        L1Info    `json:"l1"`
	Contracts Contracts `json:"contracts"`
	Accounts  []Account `json:"accounts"`             // funded on both layers
	Genesis   string    `json:"genesis"`              // path of the L2 genesis file
	Datadir   string    `json:"datadir"`              // absolute path
	Metrics   string    `json:"metricsUrl,omitempty"` // Prometheus text format
	Web       string    `json:"webUrl,omitempty"`
	DA        string    `json:"da,omitempty"` // where batches are, as --da has it
	// Development tells a chain started with --dev.
	Development bool   `json:"development,omitempty"`
	Ingest      string `json:"ingestURL,omitempty"` // raw transactions over TCP
	Feed        string `json:"feedUrl,omitempty"`   // for other nodes, over NATS
	// Replicas and Validators are those of --replicas and --validators.
	Replicas   []ReplicaInfo   `json:"replicas,omitempty"`
	Validators []ValidatorInfo `json:"validators,omitempty"`
}

// ReplicaInfo tells how to reach a replica of the devnet.
type ReplicaInfo struct {
	HTTPURL string `json:"httpUrl"`
	WSURL   string `json:"wsUrl"`
	Metrics string `json:"metricsUrl"`
}

// ValidatorInfo tells where a validator of the devnet says how far it is.
type ValidatorInfo struct {
	StatusURL string `json:"statusUrl"`
	Metrics   string `json:"metricsUrl"`
}

// L2Info tells how to reach the L2 node. HTTP and WebSocket share one port.
type L2Info struct {
	HTTPURL string `json:"httpUrl"`
	WSURL   string `json:"wsUrl"`
	ChainID uint64 `json:"chainId"`
	// Currency is what gas is paid with.
	Currency Currency `json:"nativeCurrency"`
}

// Currency is the native currency; the tokens are set where it is a token of L1.
type Currency struct {
	Name    string          `json:"name"`
	Symbol  string          `json:"symbol"`
	L1Token *common.Address `json:"l1Token"`
	L2Ether *common.Address `json:"l2Ether"` // stands for ether on L2
}

// L1Info tells how to reach the L1: execution RPC and the beacon API that serves blobs.
type L1Info struct {
	HTTPURL   string `json:"httpUrl"`
	BeaconURL string `json:"beaconUrl"`
	ChainID   uint64 `json:"chainId"`
}

// Contracts are the addresses of Talaria's contracts on L1.
type Contracts struct {
	Portal     common.Address `json:"portal"`
	BatchInbox common.Address `json:"batchInbox"`
	// CertificateVerifier announces certificates of the committee that keeps data.
	CertificateVerifier common.Address `json:"certificateVerifier"`
}

// Account is one of the ten accounts of the well-known test mnemonic.
type Account struct {
	Address    common.Address `json:"address"`
	PrivateKey string         `json:"privateKey"` // 0x and 64 hex digits
}

// decodeDevnetInfo reads the one line and checks that nothing is missing.
func decodeDevnetInfo(line []byte) (*DevnetInfo, error) {
	info := new(DevnetInfo)
	if err := json.Unmarshal(line, info); err != nil {
		return nil, fmt.Errorf("devnet line %q: %w", line, err)
	}
	var missing []string
	for name, absent := range map[string]bool{
		"l2.httpUrl": info.L2.HTTPURL == "", "l2.wsUrl": info.L2.WSURL == "", "l2.chainId": info.L2.ChainID == 0,
		"l1.httpUrl": info.L1.HTTPURL == "", "l1.beaconUrl": info.L1.BeaconURL == "", "l1.chainId": info.L1.ChainID == 0,
		"contracts.portal": info.Contracts.Portal == common.Address{}, "contracts.batchInbox": info.Contracts.BatchInbox == common.Address{},
		"accounts (ten)": len(info.Accounts) < 10, "genesis": info.Genesis == "", "datadir": info.Datadir == "",
	} {
		if absent {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("devnet line lacks %s: %s", strings.Join(missing, ", "), line)
	}
	return info, nil
}
