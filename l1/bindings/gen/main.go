package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi/abigen"
)

func main() {
	root := flag.String("root", ".", "directory of the repository")
	check := flag.Bool("check", false, "write nothing; fail if a committed file differs")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// bound are the contracts that Go code deploys and calls on L1.
func bound() []string {
	return []string{
		"AnchorStateRegistry", "BondVault", "CertificateVerifier", "ChallengerStakes", "DevToken",
		"DisputeGameFactory", "HybridGame", "InstantExit",
		"L1CrossDomainMessenger", "L1StandardBridge", "NativeTokenBridge", "OperatorRegistry", "Pause", "Portal", "SignedCheckpoints", "SystemConfig",
		"TimelockController", "TransparentUpgradeableProxy",
	}
}

// foreign are those of OpenZeppelin: their storage layout is not ours to record.
func foreign() []string { return []string{"TimelockController", "TransparentUpgradeableProxy"} }

// predeployed are the contracts whose code is in the L2 genesis.
func predeployed() []string {
	return []string{
		"L1Block", "L2ToL1MessagePasser", "L2CrossDomainMessenger", "L2StandardBridge",
		"OptimismMintableERC20Factory", "GasPriceOracle", "WETH9", "FeeVault", "SequencerFeeVault",
		"PredeployProxy", "PredeployAdmin", "MiniBlockClock",
	}
}

// created is the contract whose creation code the factory on L2 contains, so that
// addresses of its tokens are known beforehand.
const created = "OptimismMintableERC20"

func run(root string, check bool) error {
	files, err := generate(filepath.Join(root, "contracts", "out"))
	if err != nil {
		return err
	}
	var stale []string
	for _, f := range files {
		path := filepath.Join(root, f.path)
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		switch {
		case err == nil && bytes.Equal(old, f.content):
		case check:
			stale = append(stale, f.path)
		default:
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, f.content, 0o644); err != nil {
				return err
			}
			fmt.Println("wrote", f.path)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("differ from the contracts: %s; run contracts/bindings.sh and commit", strings.Join(stale, ", "))
	}
	return nil
}

// file is one generated file; path is relative to the root of the repository.
type file struct {
	path    string
	content []byte
}

func generate(out string) ([]file, error) {
	var files []file
	var layouts bytes.Buffer
	var abis, codes []string
	for _, name := range slices.Concat(bound(), predeployed()) {
		a, err := readArtifact(out, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(foreign(), name) {
			a.writeLayout(&layouts)
		}
		if slices.Contains(predeployed(), name) {
			files = append(files, file{
				path:    filepath.Join("bridge", "predeploys", name+".hex"),
				content: []byte(strings.TrimPrefix(a.Runtime.Object, "0x") + "\n"),
			})
			continue
		}
		abis, codes = append(abis, string(a.ABI)), append(codes, a.Creation.Object)
	}
	// Bound together, so that structures which several use are declared once.
	code, err := abigen.BindV2(bound(), abis, codes, "bindings", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	files = append(files, file{filepath.Join("l1", "bindings", "contracts.go"), []byte(code)})
	token, err := readArtifact(out, created)
	if err != nil {
		return nil, err
	}
	return append(files,
		file{
			filepath.Join("bridge", "predeploys", created+".init.hex"),
			[]byte(strings.TrimPrefix(token.Creation.Object, "0x") + "\n"),
		},
		file{filepath.Join("contracts", "snapshots", "storage.txt"), layouts.Bytes()},
	), nil
}

// artifact is what forge writes for a contract, as far as it is used here.
type artifact struct {
	name     string
	ABI      json.RawMessage `json:"abi"`
	Creation bytecode        `json:"bytecode"`
	Runtime  bytecode        `json:"deployedBytecode"`
	Layout   struct {
		Storage []struct {
			Label  string `json:"label"`
			Slot   string `json:"slot"`
			Offset int    `json:"offset"` // bytes from the low end of the slot
			Type   string `json:"type"`
		} `json:"storage"`
		Types map[string]struct {
			Label string `json:"label"`
			Bytes string `json:"numberOfBytes"`
		} `json:"types"`
	} `json:"storageLayout"`
}

// bytecode is hexadecimal with 0x; what has unlinked or immutable parts is refused,
// because its bytes are not those that end up on chain.
type bytecode struct {
	Object    string                     `json:"object"`
	Links     map[string]json.RawMessage `json:"linkReferences"`
	Immutable map[string]json.RawMessage `json:"immutableReferences"`
}

func readArtifact(out, name string) (*artifact, error) {
	path := filepath.Join(out, name+".sol", name+".json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("artifact of %s (is it compiled?): %w", name, err)
	}
	a := &artifact{name: name}
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, fmt.Errorf("artifact %s: %w", path, err)
	}
	if len(strings.TrimPrefix(a.Creation.Object, "0x")) == 0 {
		return nil, fmt.Errorf("artifact %s: has no code: it is abstract, or was written by forge lint (forge build --force writes it anew)", path)
	}
	if len(a.Creation.Links) > 0 {
		return nil, fmt.Errorf("artifact %s: has unlinked libraries", path)
	}
	if slices.Contains(predeployed(), name) && len(a.Runtime.Immutable) > 0 {
		return nil, fmt.Errorf("artifact %s: a predeploy cannot have immutables, no constructor runs", path)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, a.ABI); err != nil {
		return nil, fmt.Errorf("artifact %s: abi: %w", path, err)
	}
	a.ABI = compact.Bytes()
	return a, nil
}

// writeLayout appends one line per storage variable; a change of an existing line
// breaks deployed state.
func (a *artifact) writeLayout(w *bytes.Buffer) {
	fmt.Fprintf(w, "%s\n", a.name)
	for _, v := range a.Layout.Storage {
		t := a.Layout.Types[v.Type]
		fmt.Fprintf(w, "  slot %s, byte %d: %s %s (%s bytes)\n", v.Slot, v.Offset, t.Label, v.Label, t.Bytes)
	}
}
