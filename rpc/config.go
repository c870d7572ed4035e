package rpc

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/talaria-l2/talaria/chain"
)

// configMethods tell what the node and its chain are and what can be asked of them.
func (s *Server) configMethods(t methodTable) {
	const nothingMined = "Nothing is mined here"
	t.read("eth_config", 0, s.config).doc("The rules in force (EIP-7910): Osaka's from the first block on, and no other", "rpc.TestConfigNamesThePrecompilesOfTheEVM")
	t.read("eth_capabilities", 0, s.capabilities).doc("Which of the past the node can answer about: everything since genesis", "rpc.TestCapabilities")
	t.call("eth_getLogsWithCursor", 1, s.getLogsWithCursor).doc("As `eth_getLogs`, but cut where it reaches a limit: the answer then has a `cursor`, with which the same query goes on", "rpc.TestLogPagesMakeUpTheWholeAnswer")
	t.fixed("eth_coinbase", quoted(strings.ToLower(chain.SequencerFeeVaultAddr.Hex()))).doc("Who receives priority fees: the sequencer's fee vault", "rpc.TestFixedAnswers")
	t.fixed("eth_protocolVersion", `"0x45"`).doc("69, the newest version of Ethereum's wire protocol; this network does not speak it", "rpc.TestFixedAnswers")
	t.fixed("eth_mining", jsonFalse).doc(nothingMined, "rpc.TestFixedAnswers")
	t.fixed("eth_hashrate", `"0x0"`).doc(nothingMined, "rpc.TestFixedAnswers")
}

// precompiles are the names that EIP-7910 gives to Osaka's precompiled contracts.
func precompiles() map[string]common.Address {
	names := [...]string{
		"ECREC", "SHA256", "RIPEMD160", "ID", "MODEXP", "BN254_ADD", "BN254_MUL", "BN254_PAIRING", "BLAKE2F",
		"KZG_POINT_EVALUATION", "BLS12_G1ADD", "BLS12_G1MSM", "BLS12_G2ADD", "BLS12_G2MSM", "BLS12_PAIRING_CHECK",
		"BLS12_MAP_FP_TO_G1", "BLS12_MAP_FP2_TO_G2",
	}
	out := map[string]common.Address{"P256VERIFY": common.BytesToAddress([]byte{1, 0})}
	for i, name := range names {
		out[name] = common.BytesToAddress([]byte{byte(i + 1)})
	}
	return out
}

// config is EIP-7910. There are no blobs, so that their schedule is zero, and no fork
// after genesis, so that its identifier is the checksum of the genesis hash (EIP-6122).
func (s *Server) config(c *call, _ *args) (rawJSON, error) {
	genesis, err := s.backend.HeaderByNumber(c.ctx, 0)
	if err != nil {
		return nil, err
	}
	if genesis == nil {
		return nil, errors.New("genesis header is not kept by this node")
	}
	hash := genesis.Hash()
	w := newWriter(2048)
	w.open('{')
	w.key("current").open('{')
	w.key("activationTime").int(0)
	w.key("blobSchedule").raw(`{"baseFeeUpdateFraction":0,"max":0,"target":0}`)
	w.key("chainId").qty(s.backend.Config().ChainID)
	w.key("forkId").hex(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(hash[:])))
	w.key("precompiles").addresses(precompiles())
	w.key("systemContracts").addresses(map[string]common.Address{
		"BEACON_ROOTS_ADDRESS": params.BeaconRootsAddress, "HISTORY_STORAGE_ADDRESS": params.HistoryStorageAddress,
	})
	w.shut('}')
	w.key("next").null()
	w.key("last").null()
	w.shut('}')
	return w.b, nil
}

// addresses writes an object of addresses, ascending by name.
func (w *writer) addresses(byName map[string]common.Address) {
	w.open('{')
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		addr := byName[name]
		w.key(name).hex(addr[:])
	}
	w.shut('}')
}

// capabilities tells routers that nothing is ever deleted.
func (s *Server) capabilities(*call, *args) (rawJSON, error) {
	head := s.backend.Head()
	hash := head.Hash()
	w := newWriter(512)
	w.open('{')
	w.key("head").open('{')
	w.key("number").big(head.Number)
	w.key("hash").hex(hash[:])
	w.shut('}')
	for _, kind := range []string{"state", "tx", "logs", "receipts", "blocks", "stateproofs"} {
		w.key(kind).raw(`{"disabled":false,"oldestBlock":"0x0"}`)
	}
	w.shut('}')
	return w.b, nil
}

// modules is rpc_modules: the namespaces of the table.
func modules(t methodTable) rawJSON {
	names := make(map[string]struct{})
	for name := range t {
		space, _, _ := strings.Cut(name, "_")
		names[space] = struct{}{}
	}
	w := newWriter(128)
	w.open('{')
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w.key(name).str("1.0")
	}
	w.shut('}')
	return w.b
}
