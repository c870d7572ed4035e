package e2e

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
)

// proved is the value that a proof shows below a root, which go-ethereum's trie checks.
func proved(t *testing.T, root common.Hash, key []byte, nodes []string) []byte {
	t.Helper()
	db := memorydb.New()
	for _, n := range nodes {
		raw := hexutil.MustDecode(n)
		if err := db.Put(crypto.Keccak256(raw), raw); err != nil {
			t.Fatal(err)
		}
	}
	value, err := trie.VerifyProof(root, crypto.Keccak256(key), db)
	if err != nil {
		t.Fatalf("proof of %x: %v", key, err)
	}
	return value
}

// TestGethclient uses go-ethereum's client of the methods that are go-ethereum's own.
func TestGethclient(t *testing.T) {
	h := newHistory(t)
	geth, eth := gethclient.New(h.client), dialEth(t, h.d.L2.HTTPURL)
	number := h.receipts[h.call].BlockNumber
	header, err := eth.HeaderByNumber(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	slot := common.Hash{}
	for _, addr := range []common.Address{h.hub, h.user, {0xde, 0xad, 0x01}} {
		p, err := geth.GetProof(t.Context(), addr, []string{slot.Hex()}, number)
		if err != nil {
			t.Fatal(err)
		}
		var account types.StateAccount
		raw := proved(t, header.Root, addr[:], p.AccountProof)
		if (raw == nil) != (addr == common.Address{0xde, 0xad, 0x01}) {
			t.Fatalf("account %s: proof of %x", addr, raw)
		}
		if raw == nil {
			continue
		}
		if err := rlp.DecodeBytes(raw, &account); err != nil {
			t.Fatal(err)
		}
		if account.Nonce != p.Nonce || account.Balance.ToBig().Cmp(p.Balance) != 0 || account.Root != p.StorageHash || common.BytesToHash(account.CodeHash) != p.CodeHash {
			t.Errorf("account %s is proved as %+v and told as %+v", addr, account, p)
		}
		if addr == h.hub {
			if p.StorageProof[0].Value.Cmp(big.NewInt(9)) != 0 {
				t.Errorf("slot 0 is %v, want 9", p.StorageProof[0].Value)
			}
			equal(t, "slot 0 as proved", common.Bytes2Hex(proved(t, account.Root, slot[:], p.StorageProof[0].Proof)), "09")
		}
	}

	// At an account that is empty, code that returns its own balance.
	self := common.Address{0x5e, 0x1f}
	out, err := geth.CallContract(t.Context(), ethereum.CallMsg{To: &self}, nil, &map[common.Address]gethclient.OverrideAccount{
		self: {Code: common.FromHex("475f5260205ff3"), Balance: big.NewInt(1234)},
	})
	if err != nil || new(big.Int).SetBytes(out).Int64() != 1234 {
		t.Errorf("call with an override: %x, %v", out, err)
	}
	trace, err := geth.TraceTransaction(t.Context(), h.call, nil)
	if err != nil {
		t.Fatal(err)
	}
	logs, _ := trace.(map[string]any)["structLogs"].([]any)
	if gas, _ := trace.(map[string]any)["gas"].(float64); uint64(gas) != h.receipts[h.call].GasUsed || len(logs) == 0 {
		t.Errorf("trace: gas %v, %d steps; the receipt says %d", gas, len(logs), h.receipts[h.call].GasUsed)
	}
	list, _, failed, err := geth.CreateAccessList(t.Context(), ethereum.CallMsg{From: h.user, To: &h.token, Data: tokenTransfer(h.peer, big.NewInt(1))})
	if err != nil || failed != "" || len(*list) != 1 || !strings.EqualFold((*list)[0].Address.Hex(), h.token.Hex()) {
		t.Errorf("access list of a token transfer: %v, %q, %v", list, failed, err)
	}
}
