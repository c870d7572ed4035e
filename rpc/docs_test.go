package rpc

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/rpc.md")

const docPath = "../docs/rpc.md"

// described is the dispatch table of a server that offers everything.
func described(t *testing.T) methodTable {
	t.Helper()
	s, _ := serve(t, newFake(t), Options{})
	return s.methods
}

func (c class) String() string {
	return [...]string{classRead: "fast", classCall: "call", classSlow: "slow", classSend: "send"}[c]
}

// methodsText is the reference of all methods: a table for each namespace, both in
// alphabetical order.
func methodsText(table methodTable) string {
	var b strings.Builder
	space := ""
	for _, name := range slices.Sorted(maps.Keys(table)) {
		m := table[name]
		if s, _, _ := strings.Cut(name, "_"); s != space {
			space = s
			fmt.Fprintf(&b, "\n### %s\n\n| method | parameters | what it does | class | token | test |\n|---|---|---|---|---|---|\n", space)
		}
		token := ""
		if m.admin {
			token = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s | %s |\n", name, m.maxArgs, m.about, m.class, token, m.test)
	}
	return b.String()
}

// limitsText lists the fields of Options as their comments tell them.
func limitsText(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("\n| option | what it bounds [default] |\n|---|---|\n")
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Options" {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			for _, name := range field.Names {
				fmt.Fprintf(&b, "| %s | %s |\n", name, strings.Join(strings.Fields(field.Comment.Text()), " "))
			}
		}
		return false
	})
	return b.String()
}

// generated replaces what stands between the marks of a part of the document.
func generated(t *testing.T, doc []byte, part, text string) []byte {
	t.Helper()
	marks := regexp.MustCompile(`(?s)(<!-- begin ` + part + ` -->\n).*(\n<!-- end ` + part + ` -->)`)
	if !marks.Match(doc) {
		t.Fatalf("%s has no part %q", docPath, part)
	}
	return marks.ReplaceAll(doc, []byte("${1}"+strings.ReplaceAll(text, "$", "$$")+"${2}"))
}

func TestTheReferenceIsTrue(t *testing.T) {
	have, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	want := generated(t, have, "methods", methodsText(described(t)))
	want = generated(t, want, "limits", limitsText(t))
	if *update {
		if err := os.WriteFile(docPath, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(have, want) {
		t.Fatalf("%s is stale: run go test ./rpc -run TestTheReferenceIsTrue -update", docPath)
	}
}

// testsOf are the names of the test functions in a directory.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range function.FindAllSubmatch(src, -1) {
			found[string(m[1])] = true
		}
	}
	return found
}

func TestEveryMethodIsDescribedAndHasATest(t *testing.T) {
	rooms := make(map[string]map[string]bool)
	for name, m := range described(t) {
		if m.about == "" || m.test == "" {
			t.Errorf("%s: not described: use .doc", name)
			continue
		}
		if strings.HasSuffix(m.about, ".") || strings.Contains(m.about, "|") {
			t.Errorf("%s: %q: want a sentence without a full stop or a bar", name, m.about)
		}
		room, test, ok := strings.Cut(m.test, ".")
		if !ok {
			t.Errorf("%s: test %q: want room.TestName", name, m.test)
			continue
		}
		if rooms[room] == nil {
			rooms[room] = testsOf(t, room)
		}
		if !rooms[room][test] {
			t.Errorf("%s: there is no test %s in %s", name, test, room)
		}
	}
}
