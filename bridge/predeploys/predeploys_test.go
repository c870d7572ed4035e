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
	// Safe's are those of the npm package @safe-global/safe-deployments 1.37.63. The entry
	// points' init code is verified by their addresses, which are CREATE2's.
	for address, want := range map[string]string{
		"0x4e59b44847b379578588920cA78FbF26c0B4956C": "0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989",
		"0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7": "0x2fa86add0aed31f33a762c9d88e807c475bd51d0f52bd0955754b2608f7e4989",
		"0xcA11bde05977b3631167028862bE2a173976CA11": "0xd5c15df687b16f2ff992fc8d767b4216323184a2bbc6ee2f9c398c318e770891",
		"0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789": "0xc93c806e738300b5357ecdc2e971d6438d34d8e4e17b99b758b1f9cac91c8e70",
		"0x7fc98430eAEdbb6070B35B39D798725049088348": "0xae818091eaaf1b6175ee41472359a689f3823d0908a41e2e5c4ad508f2fc04a3",
		"0x0000000071727De22E5E9d8BAf0edAc6f37da032": "0x8db5ff695839d655407cc8490bb7a5d82337a86a6b39c3f0258aa6c3b582fc58",
		"0xEFC2c1444eBCC4Db75e7613d20C6a62fF67A167C": "0x283c9d14378f5f4c4e24045b87d621d48443fa5b4af7dd7180a599b3756a7689",
		"0x4337084D9E255Ff0702461CF8895CE9E3b5Ff108": "0x44e632a24c6f2600cbd5b5b8b4c2d372359112c8b5774297f5fd0a9e64f11f86",
		"0x449ED7C3e6Fee6a97311d4b55475DF59C44AdD33": "0xc69a1b3a000d570bc86eb096ee63a9014a17951ad616d720882ec61432b00fcf",
		"0xd9Db270c1B5E3Bd161E8c8503c55cEABeE709552": "0xbba688fbdb21ad2bb58bc320638b43d94e7d100f6f3ebaab0a4e4de6304b1c2e",
		"0x69f4D1788e39c87893C980c06EdF4b7f686e2938": "0xbba688fbdb21ad2bb58bc320638b43d94e7d100f6f3ebaab0a4e4de6304b1c2e",
		"0x3E5c63644E683549055b9Be8653de26E0B4CD36E": "0x21842597390c4c6e3c1239e434a682b054bd9548eee5e9b1d6a4482731023c0f",
		"0xfb1bffC9d739B8D520DaF37dF666da4C687191EA": "0x21842597390c4c6e3c1239e434a682b054bd9548eee5e9b1d6a4482731023c0f",
		"0xa6B71E26C5e0845f74c812102Ca7114b6a896AB2": "0x337d7f54be11b6ed55fef7b667ea5488db53db8320a05d1146aa4bd169a39a9b",
		"0xC22834581EbC8527d974F8a1c97E1bEA4EF910BC": "0x337d7f54be11b6ed55fef7b667ea5488db53db8320a05d1146aa4bd169a39a9b",
		"0xA238CBeb142c10Ef7Ad8442C6D1f9E89e07e7761": "0x0208282bd262360d0320862c5ac70f375f5ed3b9d89a83a615b4d398415bdc83",
		"0x998739BFdAAdde7C933B942a68053933098f9EDa": "0x81db0e4afdf5178583537b58c5ad403bd47a4ac7f9bde2442ef3e341d433126a",
		"0x40A2aCCbd92BCA938b02010E17A5b8929b49130D": "0xa9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad",
		"0xA1dabEF33b3B82c7814B6D82A79e50F4AC44102B": "0xa9865ac2d9c7a1591619b188c4d88167b50df6cc0c5327fcbd1c8c75f7c066ad",
		"0xf48f2B2d2a534e402487b3ee7C18c33Aec0Fe5e4": "0x03e69f7ce809e81687c69b19a7d7cca45b6d551ffdec73d9bb87178476de1abf",
		"0x017062a1dE2FE6b99BE3d9d37841FeD19F573804": "0x03e69f7ce809e81687c69b19a7d7cca45b6d551ffdec73d9bb87178476de1abf",
		"0x41675C099F32341bf84BFc5382aF534df5C7461a": "0x1fe2df852ba3299d6534ef416eefa406e56ced995bca886ab7a553e6d0c5e1c4",
		"0x29fcB43b46531BcA003ddC8FCB67FFE91900C762": "0xb1f926978a0f44a2c0ec8fe822418ae969bd8c3f18d61e5103100339894f81ff",
		"0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67": "0x50c3cdc4074750a7a974204a716c999edd37482f907608d960b2b025ee0b3317",
		"0x38869bf66a61cF6bDB996A6aE40D5853Fd43B526": "0x0e4f7fc66550a322d1e7688e181b75e217e662a4f3f4d6a29b22bc61217c4b77",
		"0x9641d764fc13c8B624c04430C7356C1C7C8102e2": "0xecd5bd14a08c5d2122379900b2f272bdf107a7e92423c10dd5fe3254386c9939",
		"0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99": "0x7c6007a5d711cea8dfd5d91f5940ec29c7f200fe511eb1fc1397b367af3c42f9",
	} {
		addr := common.HexToAddress(address)
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
		if len(a.Code) == 0 || a.Nonce == 0 || a.Nonce > 2 || a.Balance.Sign() != 0 {
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

func TestEntryPointsAndSafesAnswer(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		addr      common.Address
		signature string
		want      common.Hash
	}{
		{predeploys.EntryPoint07Addr, "getNonce(address,uint192)", common.Hash{}},
		{predeploys.EntryPoint08Addr, "senderCreator()", common.HexToHash("0x449ED7C3e6Fee6a97311d4b55475DF59C44AdD33")},
		// A singleton is nobody's: its threshold is 1 and it has no owner.
		{predeploys.SafeL2v130Addr, "getThreshold()", common.BigToHash(common.Big1)},
		{predeploys.SafeL2v141Addr, "getThreshold()", common.BigToHash(common.Big1)},
	} {
		if got := w.call(user, test.addr, 0, append(selector(test.signature), make([]byte, 64)...)); common.BytesToHash(got) != test.want {
			t.Errorf("%s of %s = %x, want %s", test.signature, test.addr, got, test.want)
		}
	}
	if got := w.call(user, predeploys.EntryPoint06Addr, 5, append(selector("depositTo(address)"), common.LeftPadBytes(user[:], 32)...)); len(got) != 0 {
		t.Errorf("depositTo = %x", got)
	}
	got := w.call(user, predeploys.EntryPoint06Addr, 0, append(selector("balanceOf(address)"), common.LeftPadBytes(user[:], 32)...))
	if new(big.Int).SetBytes(got).Int64() != 5 {
		t.Errorf("balanceOf = %x, want 5", got)
	}
}
