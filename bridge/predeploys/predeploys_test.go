package predeploys_test

import (
	"bytes"
	"math"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/core/vm/runtime"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/bridge/predeploys"
	"github.com/talaria-l2/talaria/chain"
)

var user = common.HexToAddress("0x00000000000000000000000000000000000a11ce")

// world is go-ethereum's EVM over the genesis accounts.
type world struct {
	*testing.T
	state *state.StateDB
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		t.Fatal(err)
	}
	for addr, a := range predeploys.Alloc(predeploys.Settings{}) {
		db.SetNonce(addr, a.Nonce, tracing.NonceChangeGenesis)
		db.SetCode(addr, a.Code, tracing.CodeChangeGenesis)
		for slot, value := range a.Storage {
			db.SetState(addr, slot, value)
		}
	}
	db.AddBalance(user, uint256.NewInt(params.Ether), tracing.BalanceIncreaseGenesisBalance)
	return &world{t, db}
}

func (w *world) tryCall(from, to common.Address, value int64, data []byte) ([]byte, error) {
	out, _, err := runtime.Call(to, data, &runtime.Config{
		ChainConfig: params.MergedTestChainConfig, Random: new(common.Hash),
		Origin: from, Value: big.NewInt(value), GasLimit: 10_000_000,
		BlockNumber: big.NewInt(7), Time: 1_700_000_000, State: w.state,
	})
	return out, err
}

func (w *world) call(from, to common.Address, value int64, data []byte) []byte {
	w.Helper()
	out, err := w.tryCall(from, to, value, data)
	if err != nil {
		w.Fatalf("call %s with %x: %v", to, data, err)
	}
	return out
}

func selector(signature string) []byte { return crypto.Keccak256([]byte(signature))[:4] }

func TestL1BlockStoresWhatTheAttributesDepositCarries(t *testing.T) {
	w := newWorld(t)
	attributes := chain.L1Attributes{
		Number: 0x1122334455667788, Timestamp: 0x99aabbccddeeff00, SequenceNumber: 0x0102030405060708,
		Hash:    crypto.Keccak256Hash([]byte("l1")),
		BaseFee: new(big.Int).Lsh(big.NewInt(5), 200), BlobBaseFee: new(big.Int).Lsh(big.NewInt(7), 201),
		Batcher: common.HexToAddress("0x00000000000000000000000000000000000ba7c4"),
	}
	deposit := attributes.Tx().Deposit
	data := common.CopyBytes(deposit.Data)
	copy(data[4:12], []byte{0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xb2, 0xb3}) // scalars
	w.call(deposit.From, *deposit.To, 0, data)

	u64 := func(v uint64) common.Hash { return common.BigToHash(new(big.Int).SetUint64(v)) }
	for signature, want := range map[string]common.Hash{
		"number()":            u64(attributes.Number),
		"timestamp()":         u64(attributes.Timestamp),
		"basefee()":           common.BigToHash(attributes.BaseFee),
		"hash()":              attributes.Hash,
		"sequenceNumber()":    u64(attributes.SequenceNumber),
		"baseFeeScalar()":     u64(0xa0a1a2a3),
		"blobBaseFeeScalar()": u64(0xb0b1b2b3),
		"batcherHash()":       common.BytesToHash(attributes.Batcher[:]),
		"blobBaseFee()":       common.BigToHash(attributes.BlobBaseFee),
		"l1FeeOverhead()":     {},
		"l1FeeScalar()":       {},
		"DEPOSITOR_ACCOUNT()": common.BytesToHash(chain.L1AttributesDepositor[:]),
	} {
		if got := common.Hash(w.call(user, chain.L1BlockAddr, 0, selector(signature))); got != want {
			t.Errorf("%s = %s, want %s", signature, got, want)
		}
	}

	// The slots that the OP Stack's specification fixes.
	slot0 := common.HexToHash("0x99aabbccddeeff001122334455667788")
	slot3 := common.HexToHash("0xa0a1a2a3b0b1b2b30102030405060708")
	for slot, want := range map[uint64]common.Hash{
		0: slot0, 1: common.BigToHash(attributes.BaseFee), 2: attributes.Hash, 3: slot3,
		4: common.BytesToHash(attributes.Batcher[:]), 7: common.BigToHash(attributes.BlobBaseFee),
	} {
		if got := w.state.GetState(chain.L1BlockAddr, u64(slot)); got != want {
			t.Errorf("slot %d = %s, want %s", slot, got, want)
		}
	}
}

func TestL1BlockObeysOnlyTheDepositor(t *testing.T) {
	w := newWorld(t)
	attributes := chain.L1Attributes{Number: 9}
	out, err := w.tryCall(user, chain.L1BlockAddr, 0, attributes.Tx().Deposit.Data)
	if err != vm.ErrExecutionReverted || !bytes.Equal(out, selector("NotDepositor()")) {
		t.Fatalf("got %x, %v; want a revert with NotDepositor()", out, err)
	}
	if got := w.state.GetState(chain.L1BlockAddr, common.Hash{}); got != (common.Hash{}) {
		t.Fatalf("slot 0 = %s after a refused call", got)
	}
}

func TestMessagePasserRecordsAndEmits(t *testing.T) {
	w := newWorld(t)
	word := func(kind string) abi.Type {
		typ, err := abi.NewType(kind, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return typ
	}
	target, payload, value := common.HexToAddress("0xbeef"), []byte("to L1"), int64(123)
	input, err := abi.Arguments{{Type: word("address")}, {Type: word("uint256")}, {Type: word("bytes")}}.
		Pack(target, big.NewInt(90_000), payload)
	if err != nil {
		t.Fatal(err)
	}
	nonce := new(big.Int).Lsh(big.NewInt(1), 240)
	for range 2 {
		if got := new(big.Int).SetBytes(w.call(user, chain.MessagePasserAddr, 0, selector("messageNonce()"))); got.Cmp(nonce) != 0 {
			t.Fatalf("messageNonce() = %x, want %x", got, nonce)
		}
		before := len(w.state.Logs())
		w.call(user, chain.MessagePasserAddr, value, append(selector("initiateWithdrawal(address,uint256,bytes)"), input...))

		encoded, err := abi.Arguments{
			{Type: word("uint256")}, {Type: word("address")}, {Type: word("address")},
			{Type: word("uint256")}, {Type: word("uint256")}, {Type: word("bytes")},
		}.Pack(nonce, user, target, big.NewInt(value), big.NewInt(90_000), payload)
		if err != nil {
			t.Fatal(err)
		}
		hash := crypto.Keccak256Hash(encoded)
		sent := w.call(user, chain.MessagePasserAddr, 0, append(selector("sentMessages(bytes32)"), hash[:]...))
		if common.Hash(sent) != common.BigToHash(common.Big1) {
			t.Fatalf("sentMessages(%s) = %x", hash, sent)
		}
		// A withdrawal proof reads this slot: mapping at slot 0.
		if got := w.state.GetState(chain.MessagePasserAddr, crypto.Keccak256Hash(hash[:], make([]byte, 32))); got != common.BigToHash(common.Big1) {
			t.Fatalf("storage of %s = %s", hash, got)
		}

		logs := w.state.Logs()[before:]
		if len(logs) != 1 || len(logs[0].Topics) != 4 {
			t.Fatalf("logs: %v", logs)
		}
		log := logs[0]
		wantTopics := []common.Hash{
			crypto.Keccak256Hash([]byte("MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)")),
			common.BigToHash(nonce), common.BytesToHash(user[:]), common.BytesToHash(target[:]),
		}
		for i, want := range wantTopics {
			if log.Topics[i] != want {
				t.Errorf("topic %d = %s, want %s", i, log.Topics[i], want)
			}
		}
		wantData, err := abi.Arguments{{Type: word("uint256")}, {Type: word("uint256")}, {Type: word("bytes")}, {Type: word("bytes32")}}.
			Pack(big.NewInt(value), big.NewInt(90_000), payload, hash)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(log.Data, wantData) {
			t.Errorf("event data %x, want %x", log.Data, wantData)
		}
		nonce.Add(nonce, common.Big1)
	}
	if got := w.state.GetBalance(chain.MessagePasserAddr); got.Uint64() != uint64(2*value) {
		t.Errorf("balance %s, want %d", got, 2*value)
	}
}

func TestMessagePasserTakesPlainTransfers(t *testing.T) {
	w := newWorld(t)
	w.call(user, chain.MessagePasserAddr, 5, nil)
	logs := w.state.Logs()
	if len(logs) != 1 || logs[0].Topics[3] != common.BytesToHash(user[:]) {
		t.Fatalf("logs: %v; want one MessagePassed to the sender", logs)
	}
}

func TestSystemContractsAnswerAfterTheSystemCall(t *testing.T) {
	w := newWorld(t)
	root, parent := crypto.Keccak256Hash([]byte("beacon")), crypto.Keccak256Hash([]byte("parent"))
	w.call(params.SystemAddress, params.BeaconRootsAddress, 0, root[:])
	w.call(params.SystemAddress, params.HistoryStorageAddress, 0, parent[:])

	now := common.BigToHash(big.NewInt(1_700_000_000))
	if got := w.call(user, params.BeaconRootsAddress, 0, now[:]); common.Hash(got) != root {
		t.Errorf("beacon root = %x, want %s", got, root)
	}
	number := common.BigToHash(big.NewInt(6))
	if got := w.call(user, params.HistoryStorageAddress, 0, number[:]); common.Hash(got) != parent {
		t.Errorf("block hash = %x, want %s", got, parent)
	}
}

func TestCreate2DeployerDeploysAtThePredictedAddress(t *testing.T) {
	w := newWorld(t)
	salt := crypto.Keccak256Hash([]byte("salt"))
	initCode := common.FromHex("0x60016000f3") // deploys one zero byte
	got := w.call(user, predeploys.Create2DeployerAddr, 0, append(salt.Bytes(), initCode...))
	want := crypto.CreateAddress2(predeploys.Create2DeployerAddr, salt, crypto.Keccak256(initCode))
	if common.BytesToAddress(got) != want {
		t.Fatalf("deployed at %x, want %s", got, want)
	}
	if w.state.GetCodeSize(want) != 1 {
		t.Fatalf("code size %d, want 1", w.state.GetCodeSize(want))
	}
}

func TestPublishedContractsHaveTheirWellKnownCodeHashes(t *testing.T) {
	alloc := predeploys.Alloc(predeploys.Settings{})
	for addr, want := range map[common.Address]string{
		predeploys.Create2DeployerAddr: "0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989",
		predeploys.Multicall3Addr:      "0xd5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891",
	} {
		if got := crypto.Keccak256Hash(alloc[addr].Code); got != common.HexToHash(want) {
			t.Errorf("code hash of %s = %s, want %s", addr, got, want)
		}
	}
	w := newWorld(t)
	if got := w.call(user, predeploys.Multicall3Addr, 0, selector("getBlockNumber()")); new(big.Int).SetBytes(got).Int64() != 7 {
		t.Errorf("getBlockNumber() = %x, want 7", got)
	}
}

func TestAllocIsFreshAndWithoutFunds(t *testing.T) {
	first := predeploys.Alloc(predeploys.Settings{})
	for addr, a := range first {
		if len(a.Code) == 0 || a.Nonce != 1 || a.Balance.Sign() != 0 {
			t.Errorf("%s: %d bytes of code, nonce %d, balance %s", addr, len(a.Code), a.Nonce, a.Balance)
		}
		a.Code[0] ^= 0xff
		a.Balance.SetUint64(math.MaxUint64)
		for slot := range a.Storage {
			a.Storage[slot] = common.Hash{1}
		}
	}
	for addr, a := range predeploys.Alloc(predeploys.Settings{}) {
		if bytes.Equal(a.Code, first[addr].Code) || a.Balance.Sign() != 0 {
			t.Errorf("%s: shares memory with an earlier result", addr)
		}
		for slot, value := range a.Storage {
			if value == first[addr].Storage[slot] {
				t.Errorf("%s: slot %s shares memory with an earlier result", addr, slot)
			}
		}
	}
}
