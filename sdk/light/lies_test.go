package light

import (
	"crypto/ecdsa"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// run verifies the input and returns what came of it, as JSON.
func (c *checkVector) run(in object) (any, error) {
	raw := func(name string) []byte {
		out, err := json.Marshal(in[name])
		if err != nil {
			panic(err)
		}
		return out
	}
	switch c.Kind {
	case "miniBlock":
		m, err := ParseMiniBlock(raw("answer"))
		if err != nil {
			return nil, err
		}
		return object{"hash": m.Header.Hash(), "transactions": told(m.Txs), "receipts": toldReceipts(m.Receipts)}, nil
	case "block":
		var voucher Signed
		if err := json.Unmarshal(raw("voucher"), &voucher); err != nil {
			return nil, err
		}
		var diff hexutil.Bytes
		if err := json.Unmarshal(raw("diff"), &diff); err != nil {
			return nil, fault(CodeEncoding, "diff: %v", err)
		}
		b, err := VerifyBlock(&voucher.Header, diff, raw("header"))
		if err != nil {
			return nil, err
		}
		return object{"hash": b.Hash, "number": b.Number(), "stateRoot": b.Header.Root, "lastMiniBlock": b.LastMiniBlock()}, nil
	case "receipts":
		h := new(types.Header)
		if err := json.Unmarshal(raw("header"), h); err != nil {
			return nil, err
		}
		receipts, txs, err := VerifyReceipts(h, raw("receipts"), raw("block"))
		if err != nil {
			return nil, err
		}
		return object{"transactions": told(txs), "receipts": toldReceipts(receipts)}, nil
	default:
		var q struct {
			Root    common.Hash
			Address common.Address
			Slots   []common.Hash
		}
		all, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(all, &q); err != nil {
			return nil, err
		}
		a, err := VerifyAccount(q.Root, q.Address, q.Slots, raw("answer"))
		if err != nil {
			return nil, err
		}
		values := []common.Hash{}
		for _, slot := range q.Slots {
			values = append(values, a.Storage[slot])
		}
		return object{
			"exists": a.Exists, "nonce": hexutil.Uint64(a.Nonce), "balance": (*hexutil.Big)(a.Balance), "codeHash": a.CodeHash,
			"storageRoot": a.StorageRoot, "values": values,
		}, nil
	}
}

func told(txs []*Transaction) (list []object) {
	for _, tx := range txs {
		from, err := tx.Sender()
		if err != nil {
			panic(err)
		}
		list = append(list, object{"hash": tx.Hash, "raw": hexutil.Bytes(tx.Raw), "sender": from, "index": hexutil.Uint64(tx.Index)})
	}
	return list
}

func toldReceipts(receipts []*Receipt) (list []object) {
	for _, r := range receipts {
		list = append(list, object{
			"hash": r.TxHash, "raw": hexutil.Bytes(r.MarshalBinary()), "gasUsed": hexutil.Uint64(r.GasUsed), "index": hexutil.Uint64(r.Index),
			"block": hexutil.Uint64(r.BlockNumber),
		})
	}
	return list
}

// leaves calls f with the path and value of everything in v that is no object or list,
// and with the object that it is in.
func leaves(v any, path []any, of object, f func([]any, object, any)) {
	switch v := v.(type) {
	case object:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			leaves(v[k], append(slices.Clone(path), k), v, f)
		}
	case []any:
		for i := range v {
			leaves(v[i], append(slices.Clone(path), i), of, f)
		}
	default:
		f(path, of, v)
	}
}

// edited is v with another value at the path.
func edited(v any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch v := v.(type) {
	case object:
		out := object{}
		for k, e := range v {
			out[k] = e
		}
		key := path[0].(string)
		out[key] = edited(v[key], path[1:], value)
		return out
	default:
		out := slices.Clone(v.([]any))
		i := path[0].(int)
		out[i] = edited(out[i], path[1:], value)
		return out
	}
}

// lieAbout is another value of the same shape.
func lieAbout(v any) any {
	switch v := v.(type) {
	case bool:
		return !v
	case string:
		if len(v) < 3 {
			return "0x01"
		}
		other := byte('1')
		if v[len(v)-1] == '1' {
			other = '2'
		}
		return v[:len(v)-1] + string(other)
	case nil:
		return common.Address{9}.Hex()
	}
	panic("a JSON number in an answer")
}

// resignedBy is the mini-block signed by another key.
func resignedBy(t testing.TB, key *ecdsa.PrivateKey, m object) object {
	t.Helper()
	h := headerOf(t, m)
	sig, err := h.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return withSignature(m, hexutil.Bytes(sig[:]))
}

// highS is the mini-block with the other signature that the curve allows for the same
// key and hash.
func highS(t testing.TB, m object) object {
	t.Helper()
	sig := slices.Clone(m["signature"].(hexutil.Bytes))
	s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(sig[32:64]))
	s.FillBytes(sig[32:64])
	sig[64] ^= 1
	return withSignature(m, sig)
}
