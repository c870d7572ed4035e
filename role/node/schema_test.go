package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/talaria-l2/talaria/internal/fixtures"
)

// schema is the part of the execution-apis that says what answers look like.
type schema struct {
	types    map[string]any // components/schemas
	results  map[string]any // schema of the result, by method
	patterns map[string]*regexp.Regexp
}

// archive is the path of a public archive; the test is skipped without it.
func archive(t *testing.T, name string) string {
	t.Helper()
	p := fixtures.Path("../..", name)
	if _, err := os.Stat(p); errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not there: it is ethereum/execution-apis, packed", p)
	}
	return p
}

func loadSchema(t *testing.T) *schema {
	t.Helper()
	s := &schema{types: make(map[string]any), results: make(map[string]any), patterns: make(map[string]*regexp.Regexp)}
	err := fixtures.Files(archive(t, fixtures.SchemaArchive), ".yaml", func(name string, content []byte) error {
		switch path.Base(path.Dir(name)) {
		case "schemas":
			return yaml.Unmarshal(content, &s.types)
		case "error-groups":
			return nil
		}
		var methods []struct {
			Name   string
			Result struct{ Schema any }
		}
		if err := yaml.Unmarshal(content, &methods); err != nil {
			return err
		}
		for _, m := range methods {
			s.results[m.Name] = m.Result.Schema
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check returns how the value differs from the type, nil if it does not. A keyword that
// is not known is an error: it would be passed over otherwise.
func (s *schema) check(typ, value any, at string) error {
	t, ok := typ.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: type is a %T", at, typ)
	}
	for _, keyword := range slices.Sorted(maps.Keys(t)) {
		if err := s.keyword(t, keyword, value, at); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) keyword(t map[string]any, keyword string, value any, at string) error {
	arg := t[keyword]
	switch keyword {
	case "title", "description", "default", "example", "examples", "deprecated":
		return nil
	case "$ref":
		name := strings.TrimPrefix(arg.(string), "#/components/schemas/")
		if s.types[name] == nil {
			return fmt.Errorf("%s: no type %s", at, name)
		}
		return s.check(s.types[name], value, at)
	case "type":
		return checkType(arg, value, at)
	case "pattern":
		return s.pattern(arg.(string), value, at)
	case "enum":
		if !slices.Contains(arg.([]any), value) {
			return fmt.Errorf("%s: %v is none of %v", at, value, arg)
		}
	case "const":
		if fmt.Sprint(arg) != fmt.Sprint(value) {
			return fmt.Errorf("%s: %v, want %v", at, value, arg)
		}
	case "minimum", "maximum":
		return checkBound(keyword, arg, value, at)
	case "oneOf", "anyOf", "allOf", "not":
		return s.combined(keyword, arg, value, at)
	case "required", "properties", "additionalProperties", "patternProperties":
		if object, ok := value.(map[string]any); ok {
			return s.object(t, keyword, object, at)
		}
	case "items":
		list, _ := value.([]any)
		for i := range list {
			if err := s.check(arg, list[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%s: keyword %s is not known to this test", at, keyword)
	}
	return nil
}

func checkType(want, value any, at string) error {
	kind := "null"
	switch v := value.(type) {
	case string:
		kind = "string"
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
	case map[string]any:
		kind = "object"
	case float64:
		if kind = "number"; want == "integer" && v == float64(int64(v)) {
			kind = "integer"
		}
	}
	if want != kind {
		return fmt.Errorf("%s: %s, want %v", at, kind, want)
	}
	return nil
}

func (s *schema) pattern(pattern string, value any, at string) error {
	text, ok := value.(string)
	if !ok {
		return nil
	}
	re := s.patterns[pattern]
	if re == nil {
		var err error
		if re, err = regexp.Compile(pattern); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		s.patterns[pattern] = re
	}
	if !re.MatchString(text) {
		return fmt.Errorf("%s: %.80q does not match %s", at, text, pattern)
	}
	return nil
}

func checkBound(keyword string, bound, value any, at string) error {
	v, ok := value.(float64)
	b, isInt := bound.(int)
	if ok && isInt && (keyword == "minimum" && v < float64(b) || keyword == "maximum" && v > float64(b)) {
		return fmt.Errorf("%s: %v, %s %v", at, v, keyword, b)
	}
	return nil
}

func (s *schema) combined(keyword string, arg, value any, at string) error {
	if keyword == "not" {
		if s.check(arg, value, at) == nil {
			return fmt.Errorf("%s: is what it must not be", at)
		}
		return nil
	}
	matched := 0
	var reasons []string
	for _, t := range arg.([]any) {
		if err := s.check(t, value, at); err != nil {
			reasons = append(reasons, err.Error())
		} else {
			matched++
		}
	}
	switch {
	case keyword == "allOf" && len(reasons) > 0, matched == 0:
		return fmt.Errorf("%s: %s: %s", at, keyword, strings.Join(reasons, " | "))
	case keyword == "oneOf" && matched > 1 && !isEmptyList(value): // which is a list of anything
		return fmt.Errorf("%s: matches %d of oneOf", at, matched)
	}
	return nil
}

func isEmptyList(value any) bool {
	list, ok := value.([]any)
	return ok && len(list) == 0
}

func (s *schema) object(t map[string]any, keyword string, object map[string]any, at string) error {
	properties, _ := t["properties"].(map[string]any)
	patterns, _ := t["patternProperties"].(map[string]any)
	switch keyword {
	case "required":
		for _, name := range t["required"].([]any) {
			if _, ok := object[name.(string)]; !ok {
				return fmt.Errorf("%s: %v is missing", at, name)
			}
		}
		return nil
	case "properties":
		for name, typ := range properties {
			if value, ok := object[name]; ok {
				if err := s.check(typ, value, at+"."+name); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for name, value := range object {
		matched := properties[name] != nil
		for pattern, typ := range patterns {
			if s.pattern(pattern, name, at) == nil {
				matched = true
				if err := s.check(typ, value, at+"."+name); err != nil {
					return err
				}
			}
		}
		if matched || keyword != "additionalProperties" {
			continue
		}
		switch extra := t[keyword].(type) {
		case bool:
			if !extra {
				return fmt.Errorf("%s: %s is no member", at, name)
			}
		default:
			if err := s.check(extra, value, at+"."+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// answer checks the result of a method.
func (s *schema) answer(method string, result []byte) error {
	typ, ok := s.results[method]
	if !ok {
		return fmt.Errorf("the schema has no method %s", method)
	}
	var value any
	if err := json.Unmarshal(result, &value); err != nil {
		return err
	}
	return s.check(typ, value, method)
}

// TestTheSchemaRefusesWrongAnswers: the check above can fail.
func TestTheSchemaRefusesWrongAnswers(t *testing.T) {
	s := loadSchema(t)
	for _, tc := range []struct{ method, result, want string }{
		{"eth_chainId", `"0x1"`, ""},
		{"eth_chainId", `"0x01"`, "does not match"},
		{"eth_chainId", `1`, "number, want string"},
		{"net_version", `"0x1"`, "does not match"},
		{"eth_syncing", `false`, ""},
		{"eth_syncing", `{"currentBlock":"1"}`, "oneOf"},
		{"eth_getBlockTransactionCountByNumber", `null`, ""},
		{"eth_getBlockTransactionCountByNumber", `"0x"`, "oneOf"},
		{"eth_accounts", `["0x1"]`, "[0]"},
		{"eth_coinbase", `"0x00000000000000000000000000000000000000"`, "does not match"},
		{"eth_capabilities", `{}`, "is missing"},
		{"eth_config", `{"current":{},"next":null,"last":null}`, "is missing"},
		{"eth_getProof", `{"address":"0x0000000000000000000000000000000000000000","accountProof":[],"balance":"0x0","codeHash":"0x` + strings.Repeat("00", 32) + `","nonce":"0x0","storageHash":"0x` + strings.Repeat("00", 32) + `","storageProof":[],"more":1}`, "more is no member"},
		{"eth_getStorageValues", `{"a":["0xz"]}`, "does not match"},
		{"eth_nothing", `null`, "no method"},
	} {
		err := s.answer(tc.method, []byte(tc.result))
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s %s: %v, want %q", tc.method, tc.result, err, tc.want)
		}
	}
}
