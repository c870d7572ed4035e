package derive

import (
	"crypto/ecdsa"
	"encoding/binary"
	"math/big"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/talaria-l2/talaria/batch"
	"github.com/talaria-l2/talaria/chain"
)

// world is a seeded L1 and a sequencer on it that keeps to the rules.
type world struct {
	t    testing.TB
	rng  *rand.Rand
	cfg  *chain.Config
	key  *ecdsa.PrivateKey
	fork byte // enters L1 hashes
	// batcher is who posts.
	batcher common.Address

	l1    []L1Block // by number
	start State
	head  Head
	made  []BlockInput // what derivation must give, without PostedIn, ExpectHash
	batch []batch.Block
}

func newWorld(t testing.TB, seed int64) *world {
	cfg := chain.DefaultConfig()
	cfg.Portal, cfg.Batcher, cfg.SystemConfig = common.Address{0xbb}, common.Address{0xba}, common.Address{0xbc}
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("derive test key")))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rng: rand.New(rand.NewSource(seed)), cfg: &cfg, key: key, batcher: cfg.Batcher}
	w.growL1(3)
	w.start = GenesisState(&chain.Genesis{Config: cfg, Timestamp: w.l1[2].Timestamp, L1Origin: w.l1[2].ID()}, l2Hash(0))
	w.head = w.start.Head
	return w
}

func l2Hash(number uint64) common.Hash {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], number)
	return crypto.Keccak256Hash([]byte("l2"), b[:])
}

// growL1 adds n blocks without batches.
func (w *world) growL1(n int) {
	for range n {
		number := uint64(len(w.l1))
		b := L1Block{Number: number, Timestamp: 1_700_000_000, BaseFee: big.NewInt(w.rng.Int63()), BlobBaseFee: big.NewInt(1 + w.rng.Int63n(99))}
		if number > 0 {
			parent := &w.l1[number-1]
			b.ParentHash, b.Timestamp = parent.Hash, parent.Timestamp+1+uint64(w.rng.Intn(12))
		}
		b.Hash = crypto.Keccak256Hash(b.ParentHash[:], []byte{w.fork, byte(number)})
		w.rng.Read(b.PrevRandao[:])
		w.rng.Read(b.ParentBeaconRoot[:])
		for i := range w.rng.Intn(4) {
			b.Logs = append(b.Logs, w.depositLog(uint(i)))
		}
		w.l1 = append(w.l1, b)
	}
}

func (w *world) depositLog(index uint) *types.Log {
	opaque := make([]byte, 73+w.rng.Intn(70))
	w.rng.Read(opaque[16:32])
	binary.BigEndian.PutUint64(opaque[64:], 100_000)
	opaque[72] = byte(w.rng.Intn(2))
	data := common.LeftPadBytes([]byte{32}, 32)
	data = append(data, common.LeftPadBytes([]byte{byte(len(opaque))}, 32)...)
	data = append(data, opaque...)
	data = append(data, make([]byte, (32-len(data)%32)%32)...)
	log := &types.Log{Address: w.cfg.Portal, Index: index, Data: data,
		Topics: []common.Hash{chain.DepositEventTopic, {12: 1}, {12: 2}, {}}}
	switch w.rng.Intn(6) {
	case 0:
		log.Address = common.Address{0xff} // not the portal's
	case 1:
		log.Data = log.Data[:40] // malformed
	}
	return log
}

// update adds an event of the SystemConfig contract to the newest L1 block.
func (w *world) update(kind byte, words ...[]byte) {
	data := common.LeftPadBytes([]byte{32}, 32)
	data = append(data, common.LeftPadBytes([]byte{byte(32 * len(words))}, 32)...)
	for _, word := range words {
		data = append(data, common.LeftPadBytes(word, 32)...)
	}
	b := &w.l1[len(w.l1)-1]
	b.Logs = append(b.Logs, &types.Log{Address: w.cfg.SystemConfig, Index: uint(len(b.Logs)), Data: data,
		Topics: []common.Hash{chain.ConfigUpdateTopic, {}, {31: kind}}})
}

// sequence makes n L2 blocks, which adopt L1 blocks below limit as the rules say.
func (w *world) sequence(n int, limit uint64) {
	now := w.head.LastMicros
	for range n {
		now += chain.Micros(200_000 + w.rng.Intn(3_000_000))
		timestamp := max(now.Seconds(), w.l1[w.head.Origin.Number].Timestamp)
		now = max(now, chain.Micros(timestamp)*1_000_000)
		var next *L1Block
		if w.head.Origin.Number+1 < limit {
			next = &w.l1[w.head.Origin.Number+1]
		}
		o, err := NextOrigin(w.cfg, w.head, &w.l1[w.head.Origin.Number], next, timestamp)
		if err != nil {
			w.t.Fatal(err)
		}
		in := BlockInput{Number: w.head.Number + 1, Timestamp: timestamp, Kind: FromBatch, L1Attributes: o.Attributes, Params: o.System.BlockParams, Deposits: o.Deposits}
		epoch := w.head.Epoch
		in.MiniBlocks = []MiniPlan{{TimestampMicros: now, TxCount: uint64(1 + len(o.Deposits)), Epoch: epoch}}
		for range w.rng.Intn(3) {
			now += chain.Micros(w.rng.Intn(10_000))
			epoch += uint64(w.rng.Intn(10) / 9)
			count := w.rng.Intn(3)
			for range count {
				in.Txs = append(in.Txs, w.tx())
			}
			in.MiniBlocks = append(in.MiniBlocks, MiniPlan{TimestampMicros: now, TxCount: uint64(count), Epoch: epoch})
		}
		w.made = append(w.made, in)
		w.batch = append(w.batch, batchOf(in, o.Origin))
		w.head = Head{Number: in.Number, Hash: l2Hash(in.Number), Timestamp: timestamp, LastMicros: now,
			Origin: o.Origin, SequenceNumber: o.Attributes.SequenceNumber, Epoch: epoch, System: o.System}
	}
}

func batchOf(in BlockInput, origin chain.L1Origin) batch.Block {
	b := batch.Block{Number: in.Number, Timestamp: in.Timestamp, Origin: origin}
	for _, m := range in.MiniBlocks {
		b.MiniBlocks = append(b.MiniBlocks, batch.MiniBlock{Timestamp: m.TimestampMicros, TxCount: m.TxCount, Epoch: m.Epoch})
	}
	for _, tx := range in.Txs {
		b.Txs = append(b.Txs, tx.Raw())
	}
	return b
}

func (w *world) tx() *chain.Tx {
	to := common.Address{byte(w.rng.Intn(256))}
	eth, err := types.SignNewTx(w.key, types.NewPragueSigner(new(big.Int).SetUint64(w.cfg.ChainID)), &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(w.cfg.ChainID), Nonce: uint64(w.rng.Intn(1000)), Gas: 21_000,
		GasFeeCap: big.NewInt(2_000_000), GasTipCap: big.NewInt(1), To: &to, Value: big.NewInt(w.rng.Int63()),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	raw, err := eth.MarshalBinary()
	if err != nil {
		w.t.Fatal(err)
	}
	tx, err := chain.DecodeTx(raw, w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

// channel encodes blocks from..to (indexes of w.batch).
func (w *world) channel(blocks []batch.Block) *batch.Channel {
	b, err := batch.NewChannelBuilder(batch.BuilderSettings{})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range blocks {
		if err := b.Add(&blocks[i], l2Hash(blocks[i].Number-1), l2Hash(blocks[i].Number)); err != nil {
			w.t.Fatal(err)
		}
	}
	ch, err := b.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	return ch
}

func (w *world) blob(frames ...batch.Frame) *batch.Blob {
	blob, err := batch.EncodeBlob(frames)
	if err != nil {
		w.t.Fatal(err)
	}
	return blob
}

// post puts blobs into the newest L1 block as one transaction.
func (w *world) post(blobs ...*batch.Blob) {
	b := &w.l1[len(w.l1)-1]
	b.Batches = append(b.Batches, BatchTx{From: w.batcher, Source: SourceBlobs, Blobs: blobs})
}

// postChannel puts the whole channel into the newest L1 block.
func (w *world) postChannel(blocks []batch.Block) {
	frames, err := w.channel(blocks).Frames(0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.post(w.blob(frames...))
}
