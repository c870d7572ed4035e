package sequencer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	libsecp256k1 "github.com/ethereum/go-ethereum/crypto/secp256k1"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/derive"
	"github.com/talaria-l2/talaria/role/node"
	"github.com/talaria-l2/talaria/rpc"
	"github.com/talaria-l2/talaria/rpc/ingest"
	sdk "github.com/talaria-l2/talaria/sdk/ingest"
	"github.com/talaria-l2/talaria/store"
)

// load is what the benchmark sends.
type load struct {
	alloc types.GenesisAlloc
	raws  [][]byte
}

// transfers are signed transfers from as many accounts, in turns.
func transfers(b *testing.B, accounts, each int) *load {
	id := new(big.Int).SetUint64(chain.DefaultConfig().ChainID)
	l := &load{alloc: predeploys.Alloc(predeploys.Settings{}), raws: make([][]byte, accounts*each)}
	signer := types.LatestSignerForChainID(id)
	keys := make([]*ecdsa.PrivateKey, accounts)
	for i := range keys {
		k, err := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i), byte(i >> 8), 1}))
		if err != nil {
			b.Fatal(err)
		}
		keys[i] = k
		l.alloc[crypto.PubkeyToAddress(k.PublicKey)] = types.Account{Balance: big.NewInt(params.Ether)}
	}
	for i, k := range keys {
		to := crypto.PubkeyToAddress(keys[(i+1)%accounts].PublicKey)
		for nonce := range each {
			tx := types.MustSignNewTx(k, signer, &types.DynamicFeeTx{
				ChainID: id, Nonce: uint64(nonce), Gas: 21_000, To: &to, Value: big.NewInt(1), GasFeeCap: big.NewInt(10_000_000), GasTipCap: big.NewInt(1),
			})
			raw, err := tx.MarshalBinary()
			if err != nil {
				b.Fatal(err)
			}
			l.raws[nonce*accounts+i] = raw
		}
	}
	return l
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchChain is a node with a sequencer on an L1 that stands still.
type benchChain struct {
	node    *node.Node
	seq     *Sequencer
	backend *node.Backend
}

func startBench(b *testing.B, l *load, key *ecdsa.PrivateKey) *benchChain {
	g := &chain.Genesis{Config: chain.DefaultConfig(), Timestamp: uint64(time.Now().Unix()) - 2, Alloc: l.alloc}
	g.Config.Sequencer = crypto.PubkeyToAddress(key.PublicKey)
	dir, err := store.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	n, err := node.Open(dir, node.Options{Genesis: g})
	if err != nil {
		b.Fatal(err)
	}
	origin := &derive.L1Block{BaseFee: big.NewInt(1), BlobBaseFee: big.NewInt(1), Timestamp: g.Timestamp}
	seq, err := Start(n, Options{Key: key, Log: slog.New(slog.DiscardHandler), Connect: func(chain.L1Origin) (L1, error) {
		return L1{Origin: origin, Next: new(fakeL1)}, nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	return &benchChain{n, seq, &node.Backend{Node: n, Submit: seq.Submit}}
}

func (c *benchChain) stop(b *testing.B) {
	if err := errors.Join(c.seq.Close(context.Background()), c.node.Close()); err != nil {
		b.Fatal(err)
	}
}

// direct hands the transactions over in the process.
func direct(b *testing.B, c *benchChain, raws [][]byte) {
	const window, chunk = 8192, 128
	group, open := rpc.NewGroup(), 0
	var settled []*rpc.Submission
	settle := func(until int) {
		for open > until {
			<-group.Wake()
			settled = group.Take(settled)
			for _, s := range settled {
				if _, err := s.Result(); err != nil {
					b.Fatal(err)
				}
			}
			open -= len(settled)
		}
	}
	for i := 0; i < len(raws); i += chunk {
		sends := make([]rpc.Send, 0, chunk)
		for _, raw := range raws[i:min(i+chunk, len(raws))] {
			sends = append(sends, rpc.Send{Raw: raw, Group: group})
		}
		c.backend.SubmitTxs(context.Background(), sends)
		open += len(sends)
		settle(window)
	}
	settle(0)
}

// overIngest sends them over one connection; the client's work counts too.
func overIngest(b *testing.B, c *benchChain, raws [][]byte) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	server := ingest.New(c.backend, ingest.Options{ChainID: c.node.Config().ChainID})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client, err := sdk.Dial(ctx, listener.Addr().String(), sdk.Options{OnAck: func(acks []sdk.Ack) {
		for i := range acks {
			if acks[i].Status != sdk.Succeeded {
				b.Errorf("acknowledgement: %v", acks[i])
			}
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	for _, raw := range raws {
		if err := client.Send(ctx, sdk.Tx{Raw: raw}); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(client.Flush(ctx), client.Close(), server.Shutdown(ctx), <-served); err != nil {
		b.Fatal(err)
	}
}

// overBatches sends them in JSON-RPC batches of 100 over HTTP, on 16 connections that
// each wait for the answer.
func overBatches(b *testing.B, c *benchChain, raws [][]byte) {
	const connections, each = 16, 100
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := rpc.New(c.backend, rpc.Options{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	// Accounts take turns, so that each connection gets whole accounts.
	accounts := make([][][]byte, benchAccounts)
	for i, raw := range raws {
		accounts[i%benchAccounts] = append(accounts[i%benchAccounts], raw)
	}
	results := make(chan error, connections)
	for k := range connections {
		go func() {
			results <- func() error {
				conn, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					return err
				}
				defer conn.Close()
				var mine [][]byte
				for nonce := range len(accounts[0]) {
					for i := k; i < len(accounts); i += connections {
						mine = append(mine, accounts[i][nonce])
					}
				}
				in := bufio.NewReaderSize(conn, 64<<10)
				for batch := range slices.Chunk(mine, each) {
					var body, request []byte
					for i, raw := range batch {
						body = append(body, "[,"[min(i, 1)])
						body = fmt.Appendf(body, `{"jsonrpc":"2.0","id":%d,"method":"eth_sendRawTransaction","params":["0x%x"]}`, i, raw)
					}
					body = append(body, ']')
					request = fmt.Appendf(request, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
					if _, err := conn.Write(append(request, body...)); err != nil {
						return err
					}
					answer, err := http.ReadResponse(in, nil)
					if err != nil {
						return err
					}
					text, err := io.ReadAll(answer.Body)
					if err != nil || bytes.Contains(text, []byte("error")) || bytes.Count(text, []byte(`"result":"0x`)) != len(batch) {
						return fmt.Errorf("answer: %w: %.300s", err, text)
					}
				}
				return nil
			}()
		}()
	}
	for range connections {
		err = errors.Join(err, <-results)
	}
	if err := errors.Join(err, server.Shutdown(context.Background()), <-served); err != nil {
		b.Fatal(err)
	}
}

// benchAccounts is the number of senders.
const benchAccounts = 1000

// BenchmarkPipeline takes signed transfers of 1,000 accounts from their bytes to durable,
// published mini-blocks and sealed blocks in the store. It reports the processor time of
// a transaction, and of one libsecp256k1 recovery beside it.
func BenchmarkPipeline(b *testing.B) {
	l := transfers(b, benchAccounts, 100)
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{100}, 32))
	if err != nil {
		b.Fatal(err)
	}
	hash := crypto.Keccak256Hash(l.raws[0])
	sig, err := crypto.Sign(hash[:], key)
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		send func(*testing.B, *benchChain, [][]byte)
	}{{"direct", direct}, {"ingest", overIngest}, {"batches", overBatches}} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				c := startBench(b, l, key)
				const recoveries = 200
				began := cpu()
				for range recoveries {
					if _, err := libsecp256k1.RecoverPubkey(hash[:], sig); err != nil {
						b.Fatal(err)
					}
				}
				recovery := float64((cpu() - began).Nanoseconds()) / recoveries / 1000
				start, used := time.Now(), cpu()
				way.send(b, c, l.raws)
				elapsed := time.Since(start)
				c.stop(b)
				each := float64((cpu() - used).Nanoseconds()) / float64(len(l.raws)) / 1000
				b.ReportMetric(each, "cpu-µs/tx")
				b.ReportMetric(recovery, "cpu-µs/ecrecover")
				b.ReportMetric(each/recovery, "ecrecovers/tx")
				b.ReportMetric(float64(len(l.raws))/elapsed.Seconds(), "tx/s")
			}
		})
	}
}
