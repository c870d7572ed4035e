package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/talaria-l2/talaria"

// source is one parsed Go file of the module.
type source struct {
	path      string // relative to the module root, with slashes
	room      string
	pkg       string
	test      bool
	generated bool
	lines     int
	imports   []string
	inits     []int // lines of init functions
}

// skipped are directories that hold no Go of ours.
var skipped = []string{".git", "node_modules", "bin", "dist", "testdata", "out", "cache", "vendor"}

// load parses the imports and top-level functions of every Go file.
func load(t *testing.T) []source {
	t.Helper()
	root := moduleRoot(t)
	var all []source
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != root && slices.Contains(skipped, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		parsed, err := parseFile(file, filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		all = append(all, parsed)
		return nil
	})
	if err != nil {
		t.Fatalf("read the module: %v", err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func parseFile(file, rel string) (source, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return source{}, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, raw, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	s := source{
		path: rel, room: path.Dir(rel), pkg: tree.Name.Name,
		test: strings.HasSuffix(rel, "_test.go"), generated: ast.IsGenerated(tree),
		lines: bytes.Count(raw, []byte("\n")),
	}
	for _, spec := range tree.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, name)
	}
	for _, decl := range tree.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			s.inits = append(s.inits, set.Position(f.Pos()).Line)
		}
	}
	return s, nil
}

// moduleRoot is the nearest directory above with a go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// covers says whether name is prefix or lies below it.
func covers(prefix, name string) bool {
	return name == prefix || strings.HasPrefix(name, prefix+"/")
}

func TestEveryRoomIsInTheTable(t *testing.T) {
	for _, s := range load(t) {
		if _, ok := rooms[s.room]; !ok {
			t.Errorf("%s: room %q is not in the table of internal/arch/rooms_test.go", s.path, s.room)
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	for _, s := range load(t) {
		row := rooms[s.room]
		for _, name := range s.imports {
			target, ours := strings.CutPrefix(name, module+"/")
			if !ours || target == s.room && s.test {
				continue
			}
			if slices.Contains(row.imports, target) || s.test && slices.Contains(row.testImports, target) {
				continue
			}
			t.Errorf("%s: room %s may not import %s", s.path, s.room, target)
		}
	}
}

func TestCoreRoomsArePure(t *testing.T) {
	for _, s := range load(t) {
		if l := rooms[s.room].layer; s.test || l != core && s.room != "chain" {
			continue
		}
		for _, name := range s.imports {
			for _, bad := range impure {
				if covers(bad, name) {
					t.Errorf("%s: a core room may not import %s", s.path, name)
				}
			}
		}
	}
}

func TestForeignPackagesStayInTheirRoom(t *testing.T) {
	for _, s := range load(t) {
		for _, name := range s.imports {
			pkg := ""
			for candidate := range confined {
				if covers(candidate, name) && len(candidate) > len(pkg) {
					pkg = candidate
				}
			}
			allowed := confined[pkg]
			if pkg == "" || slices.Contains(allowed, s.room) {
				continue
			}
			if s.test && slices.Contains(confinedTests[pkg], s.room) {
				continue
			}
			t.Errorf("%s: only %v may import %s", s.path, allowed, name)
		}
	}
}

func TestEveryRoomHasADoc(t *testing.T) {
	seen, documented := map[string]bool{}, map[string]bool{}
	for _, s := range load(t) {
		seen[s.room] = true
		if path.Base(s.path) == "doc.go" {
			documented[s.room] = true
		}
	}
	for r := range seen {
		if !documented[r] {
			t.Errorf("%s: no doc.go", r)
		}
	}
}

func TestFilesStayReadable(t *testing.T) {
	for _, s := range load(t) {
		if s.generated || rooms[s.room].generated {
			continue
		}
		if s.lines > maxLines {
			t.Errorf("%s: %d lines, at most %d", s.path, s.lines, maxLines)
		}
		for _, line := range s.inits {
			t.Errorf("%s:%d: init function", s.path, line)
		}
	}
}

func TestPackageNamesSayWhatTheyHold(t *testing.T) {
	for _, s := range load(t) {
		if slices.Contains(badNames, s.pkg) || slices.Contains(badNames, path.Base(s.room)) {
			t.Errorf("%s: package name %s says nothing", s.path, s.pkg)
		}
	}
}

// TestTableIsALadder checks the table itself: no cycle, edges apart, nothing
// below imports a role or a front room, verify apart from exec and store.
func TestTableIsALadder(t *testing.T) {
	rank := map[layer]int{vocabulary: 0, core: 1, edge: 1, role: 2, front: 3, checks: 4}
	for name, row := range rooms {
		for _, target := range slices.Concat(row.imports, row.testImports) {
			below, ok := rooms[target]
			switch {
			case !ok:
				t.Errorf("%s imports %s, which has no row", name, target)
			case rank[below.layer] > rank[row.layer]:
				t.Errorf("%s (%s) imports %s (%s), which is higher", name, row.layer, target, below.layer)
			case row.layer == edge && below.layer == edge && path.Dir(target) != name && path.Dir(name) != target && path.Dir(target) != path.Dir(name):
				if !slices.Contains(row.testImports, target) {
					t.Errorf("%s imports %s: edges meet in role", name, target)
				}
			case name == "verify" && slices.Contains(row.imports, target) && (target == "exec" || target == "store"):
				t.Errorf("verify imports %s: the checker shares no code with what it checks", target)
			}
		}
		if cycle := reach(name, name, map[string]bool{}); cycle {
			t.Errorf("%s imports itself through others", name)
		}
	}
}

// reach says whether to can be reached from from over one or more imports.
func reach(from, to string, seen map[string]bool) bool {
	for _, next := range rooms[from].imports {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reach(next, to, seen) {
				return true
			}
		}
	}
	return false
}
