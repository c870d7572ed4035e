package snapshot

import (
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/talaria-l2/talaria/chain"
)

// Only a mini-block that is alone in its block and holds deposits only may be unsigned.
func TestWhoSignedTheMiniBlocksOfABlock(t *testing.T) {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("leader")))
	if err != nil {
		t.Fatal(err)
	}
	leader := crypto.PubkeyToAddress(key.PublicKey)
	deposit, other := []byte{chain.DepositTxType, 1}, []byte{2, 1}
	mini := func(number uint64, sign bool, txs ...[]byte) MiniBlock {
		m := MiniBlock{Header: chain.MiniBlockHeader{Number: number}, Txs: txs}
		if sign {
			if m.Signature, err = m.Header.Sign(key); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	forged := mini(1, true, deposit)
	forged.Header.Number++
	for name, c := range map[string]struct {
		ok    bool
		minis []MiniBlock
	}{
		"signed":                    {true, []MiniBlock{mini(1, true, deposit), mini(2, true, other)}},
		"deposits alone":            {true, []MiniBlock{mini(1, false, deposit, deposit)}},
		"deposits and more":         {false, []MiniBlock{mini(1, false, deposit, other)}},
		"the first is not signed":   {false, []MiniBlock{mini(1, false, deposit), mini(2, true, other)}},
		"the last is not signed":    {false, []MiniBlock{mini(1, true, deposit), mini(2, false)}},
		"the signature of another":  {false, []MiniBlock{forged}},
		"no signature in any":       {false, []MiniBlock{mini(1, false, deposit), mini(2, false, deposit)}},
		"a transaction of no bytes": {false, []MiniBlock{mini(1, false, []byte{})}},
	} {
		if err := CheckSigned(c.minis, leader); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
