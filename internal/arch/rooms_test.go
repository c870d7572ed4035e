package arch

import "slices"

// A layer says how high in the house a room stands. Imports point to the rooms
// that a row of the table names and to nothing else of the module.
type layer string

const (
	vocabulary layer = "vocabulary" // types and encodings that everybody speaks
	core       layer = "core"       // pure: no clock, disk, socket, randomness or log
	edge       layer = "edge"       // transport and storage; meets other edges only in role
	role       layer = "role"       // one process each: wiring, loops, retries
	front      layer = "front"      // command line, load generator
	checks     layer = "checks"     // tests of the whole; nothing imports them
)

// A room is one row of the layering table.
type room struct {
	layer layer
	// imports lists the rooms of this module that non-test files may import.
	imports []string
	// testImports lists rooms that only _test.go files may import besides imports.
	testImports []string
	// generated marks a room whose files a command writes: the limits of length
	// and of init functions do not hold there.
	generated bool
}

// below is everything under the roles: all cores and all edges.
var below = []string{
	"chain", "state", "evm", "exec", "sequencing", "batch", "derive", "bridge/predeploys",
	"bridge", "tracer", "store", "l1", "l1/devl1", "l1/bindings", "l1/deploy", "rpc", "rpc/ingest", "telemetry", "invariant", "keccak",
	"bls", "da", "da/altda", "da/committee", "feed", "snapshot",
}

// rooms is the layering table. Keys are directories relative to the module root.
var rooms = map[string]room{
	"chain":         {layer: vocabulary, imports: []string{"keccak", "secp256k1"}},
	"telemetry":     {layer: vocabulary},
	"invariant":     {layer: vocabulary},
	"keccak":        {layer: vocabulary},
	"secp256k1":     {layer: vocabulary, imports: []string{"keccak"}},
	"secp256k1/asm": {layer: front},

	"bls":     {layer: vocabulary},
	"netaddr": {layer: vocabulary},

	// What users of the chain take into their own programs: it imports nothing here.
	"sdk/ingest": {layer: vocabulary},
	// Its encodings are a second pair of eyes on chain's; only its tests compare with them.
	"sdk/light": {layer: vocabulary, testImports: []string{"chain"}},

	// What moves value between the layers for a user with a key.
	"sdk/bridging": {layer: front, imports: []string{"bridge", "bridge/predeploys", "chain", "l1", "l1/bindings"}},

	"state":             {layer: core, imports: []string{"chain", "invariant", "keccak"}},
	"evm":               {layer: core, imports: []string{"chain", "invariant", "keccak", "state"}, testImports: []string{"bridge/predeploys", "internal/fixtures", "internal/gethevm"}},
	"exec":              {layer: core, imports: []string{"chain", "invariant", "keccak", "state", "evm"}, testImports: []string{"bridge/predeploys", "internal/fixtures", "internal/gethevm"}},
	"verify":            {layer: core, imports: []string{"chain", "keccak", "state", "evm"}, testImports: []string{"bridge/predeploys", "exec", "verify/opinion", "internal/fixtures"}},
	"verify/opinion":    {layer: core, imports: []string{"chain", "verify", "internal/gethevm"}},
	"tracer":            {layer: core, imports: []string{"chain", "invariant", "state", "evm"}, testImports: []string{"bridge/predeploys", "internal/gethevm"}},
	"snapshot":          {layer: core, imports: []string{"chain", "keccak", "state"}},
	"sequencing":        {layer: core, imports: []string{"chain", "invariant"}},
	"batch":             {layer: core, imports: []string{"chain", "invariant"}},
	"derive":            {layer: core, imports: []string{"chain", "invariant", "state", "batch"}},
	"bridge":            {layer: core, imports: []string{"chain", "keccak"}},
	"bridge/predeploys": {layer: core, imports: []string{"chain", "invariant", "state"}, testImports: []string{"evm", "exec"}},

	"store":           {layer: edge, imports: []string{"chain", "invariant", "snapshot", "state", "telemetry"}},
	"rpc":             {layer: edge, imports: []string{"chain", "invariant", "netaddr", "telemetry"}},
	"rpc/ingest":      {layer: edge, imports: []string{"chain", "keccak", "netaddr", "rpc", "sdk/ingest"}},
	"l1":              {layer: edge, imports: []string{"chain", "invariant", "l1/bindings", "telemetry"}, testImports: []string{"l1/devl1"}},
	"l1/devl1":        {layer: edge, imports: []string{"chain", "invariant", "l1/bindings", "telemetry"}, testImports: []string{"l1"}},
	"l1/bindings":     {layer: edge, generated: true},
	"l1/deploy":       {layer: edge, imports: []string{"chain", "l1", "l1/bindings"}, testImports: []string{"l1/devl1"}},
	"l1/bindings/gen": {layer: front},
	"da":              {layer: edge, imports: []string{"netaddr"}},
	"da/altda":        {layer: edge, imports: []string{"da"}},
	"da/committee":    {layer: edge, imports: []string{"bls", "da"}},
	"feed":            {layer: edge, imports: []string{"chain", "telemetry"}, testImports: []string{"keccak"}},

	"role/node":       {layer: role, imports: below, testImports: []string{"internal/fixtures"}},
	"role/l1feed":     {layer: role, imports: below},
	"role/derivation": {layer: role, imports: with(below, "role/node", "role/l1feed")},
	"role/safehead":   {layer: role, imports: with(below, "role/node", "role/l1feed", "role/derivation")},
	"role/signers":    {layer: role, imports: with(below, "role/l1feed")},
	"role/sequencer":  {layer: role, imports: with(below, "role/node", "role/l1feed"), testImports: []string{"sdk/ingest"}},
	"role/batcher":    {layer: role, imports: below},
	"role/proposer":   {layer: role, imports: below},
	"role/daoperator": {layer: role, imports: below},
	"role/daaudit":    {layer: role, imports: below, testImports: []string{"role/daoperator"}},
	"role/exits":      {layer: role, imports: below},
	"role/attestor":   {layer: role, imports: below},
	"role/validator":  {layer: role, imports: with(below, "verify", "verify/opinion", "role/node", "role/l1feed", "role/derivation", "role/signers"), testImports: []string{"role/batcher"}},
	"role/replica":    {layer: role, imports: with(below, "role/node", "role/l1feed", "role/derivation", "role/safehead", "role/signers", "sdk/ingest"), testImports: []string{"role/batcher", "role/snapshots"}},
	"role/feeder":     {layer: role, imports: below, testImports: []string{"role/node"}},
	"role/snapshots":  {layer: role, imports: with(below, "role/node")},
	"role/leader":     {layer: role, imports: with(below, "role/snapshots", "role/node", "role/l1feed", "role/safehead", "role/sequencer", "role/exits", "role/attestor", "role/feeder")},
	"role/genesis":    {layer: role, imports: below},
	"role/devnet": {layer: role, imports: with(below,
		"role/node", "role/l1feed", "role/leader", "role/feeder", "role/sequencer", "role/snapshots", "role/batcher", "role/proposer", "role/daoperator", "role/daaudit", "role/genesis",
		"role/replica", "role/validator", "role/exits")},

	"bench":              {layer: front, imports: []string{"sdk/ingest"}},
	"bench/peers":        {layer: front, imports: []string{"bench"}},
	"bench/batches":      {layer: front, imports: []string{"batch", "chain"}},
	"bench/opbatch":      {layer: front}, // a Go module of its own
	"bench/core":         {layer: front, imports: []string{"chain", "state", "evm", "exec", "bridge/predeploys", "internal/fixtures", "internal/gethevm"}},
	"bench/core/compare": {layer: front, imports: []string{"bench/core"}},
	"cmd/talaria": {layer: front, imports: with(below,
		"bench", "role/node", "role/l1feed", "role/leader", "role/feeder", "role/sequencer", "role/batcher", "role/genesis", "role/replica", "role/snapshots", "role/proposer", "role/devnet", "role/daoperator", "role/daaudit", "role/exits", "role/validator", "sdk/bridging")},

	"e2e":           {layer: checks, imports: []string{"bench", "chain", "l1/bindings", "sdk/ingest"}, testImports: []string{"sdk/light", "batch", "feed", "l1", "l1/devl1"}},
	"internal/arch": {layer: checks},

	// What tests and benchmarks compare with.
	"internal/fixtures": {layer: edge},
	"internal/gethevm":  {layer: core, imports: []string{"state"}},
}

// with is list and more, in a slice of its own.
func with(list []string, more ...string) []string { return slices.Concat(list, more) }

// impure are the packages that bring time, randomness, the machine or output
// into a core room; there they are passed in. A name covers what is below it.
var impure = []string{
	"time", "os", "net", "syscall", "log", "math/rand", "crypto/rand",
	"github.com/ethereum/go-ethereum/log",
	"github.com/prometheus",
	"golang.org/x/sys",
}

// confined are packages of go-ethereum that only the named rooms may import.
// A name covers what is below it; the longest name that covers an import decides.
var confined = map[string][]string{
	"github.com/ethereum/go-ethereum/core/vm":     {"evm", "tracer", "l1/devl1", "bench/core", "internal/gethevm", "verify/opinion"},
	"github.com/ethereum/go-ethereum/core/state":  {"evm", "l1/devl1", "internal/gethevm", "verify/opinion"},
	"github.com/ethereum/go-ethereum/eth":         {"l1", "l1/devl1", "e2e", "bench/peers"},
	"github.com/ethereum/go-ethereum/eth/tracers": {"evm", "tracer", "l1", "l1/devl1"},
	"github.com/ethereum/go-ethereum/node":        {"l1", "l1/devl1", "e2e", "bench/peers"},
	"github.com/ethereum/go-ethereum/p2p":         {"l1", "l1/devl1", "bench/peers"},
	"github.com/ethereum/go-ethereum/miner":       {"l1", "l1/devl1"},
	"github.com/ethereum/go-ethereum/core/txpool": {"l1", "l1/devl1"},
	"github.com/cockroachdb/pebble":               {"store"},
	"github.com/cockroachdb/pebble/v2":            {"store"},
	"github.com/urfave/cli":                       {"cmd/talaria"},
	"github.com/nats-io":                          {"feed"},
}

// confinedTests widens confined for _test.go files: there go-ethereum is the
// oracle of differential tests.
var confinedTests = map[string][]string{
	"github.com/ethereum/go-ethereum/core/vm":    {"exec", "state", "bridge/predeploys"},
	"github.com/ethereum/go-ethereum/core/state": {"exec", "state", "bridge/predeploys"},
}

// badNames are package names that say nothing about what lives there.
var badNames = []string{"util", "utils", "common", "types", "helpers", "helper", "misc", "shared", "base"}

// maxLines bounds a source file that people write.
const maxLines = 700
