package devnet

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/l1/devl1"
)

// Info says how to use a devnet. It is written to devnet.json in the data directory.
type Info struct {
	L2 L2Info `json:"l2"`
	L1 L1Info `json:"l1"`
	// Contracts are the addresses on L1, by name (l1/deploy), with batchInbox.
	Contracts map[string]common.Address `json:"contracts"`

	Accounts []Account `json:"accounts"` // funded on both layers
	Genesis  string    `json:"genesis"`  // path of the L2 genesis file
	Datadir  string    `json:"datadir"`  // absolute path
	Metrics  string    `json:"metricsUrl"`
	Web      string    `json:"webUrl"`
	Ingest   string    `json:"ingestURL,omitempty"` // raw transactions; empty: not served
	Feed     string    `json:"feedUrl,omitempty"`   // for other nodes (docs/spec/feed.md); empty: not published
	// Replicas and Validators follow the sequencer.
	Replicas   []ReplicaInfo   `json:"replicas,omitempty"`
	Validators []ValidatorInfo `json:"validators,omitempty"`
	// DA is where batches are, as --da has it.
	DA string `json:"da"`
	// Development tells a development chain: L1 holds nothing of it.
	Development bool `json:"development,omitempty"`
}

// L2Info tells how to reach the L2. HTTP and WebSocket share one port.
type L2Info struct {
	HTTPURL string `json:"httpUrl"`
	WSURL   string `json:"wsUrl"`
	ChainID uint64 `json:"chainId"`
	// Currency is what gas is paid with.
	Currency CurrencyInfo `json:"nativeCurrency"`
}

// L1Info tells how to reach the L1.
type L1Info struct {
	HTTPURL   string `json:"httpUrl"`
	BeaconURL string `json:"beaconUrl"`
	ChainID   uint64 `json:"chainId"`
}

// ReplicaInfo tells how to reach a replica. HTTP and WebSocket share one port.
type ReplicaInfo struct {
	HTTPURL string `json:"httpUrl"`
	WSURL   string `json:"wsUrl"`
	Metrics string `json:"metricsUrl"`
}

// ValidatorInfo tells where a validator says how far it is.
type ValidatorInfo struct {
	StatusURL string `json:"statusUrl"`
	Metrics   string `json:"metricsUrl"`
}

// Account is one of the ten accounts of the well-known test mnemonic.
type Account struct {
	Address    common.Address `json:"address"`
	PrivateKey string         `json:"privateKey"`
}

func accounts() []Account {
	keys := devl1.Keys(devl1.DevAccounts)
	out := make([]Account, len(keys))
	for i, k := range keys {
		out[i] = Account{devl1.Address(k), hexutil.Encode(crypto.FromECDSA(k))}
	}
	return out
}

func writeInfo(dir string, info *Info) error {
	out, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encode devnet.json: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "devnet.json"), append(out, '\n'), 0o644); err != nil {
		return fmt.Errorf("write devnet.json: %w", err)
	}
	return nil
}
