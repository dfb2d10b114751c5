package house_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"bordergate/gate"
	"bordergate/gate/reason"
)

var updatePages = flag.Bool("pages", false, "write the generated parts of docs/troubleshooting.md anew")

const troubleshooting = "../docs/troubleshooting.md"

func readDoc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// section is what stands below a heading, up to the next of its rank.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

var tableRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\|$")

// words are the first column of a section's table, and the rest of each row.
func words(t *testing.T, text, heading string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, m := range tableRow.FindAllStringSubmatch(section(t, text, heading), -1) {
		if out[m[1]] != nil {
			t.Errorf("%s: %s stands twice", heading, m[1])
		}
		out[m[1]] = strings.Split(m[2], " | ")
		for _, c := range out[m[1]] {
			if strings.TrimSpace(c) == "" {
				t.Errorf("%s: the row of %s has an empty cell", heading, m[1])
			}
		}
	}
	return out
}

// sameWords holds a section to the code's own list.
func sameWords(t *testing.T, heading string, have map[string][]string, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: the code's list is empty: the test looks in the wrong place", heading)
	}
	for _, w := range want {
		if have[w] == nil {
			t.Errorf("%s: %s is not there", heading, w)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(have)) {
		if !slices.Contains(want, h) {
			t.Errorf("%s: %s is not in the code", heading, h)
		}
	}
}

// text is a string literal's value, or empty.
func text(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		if s, err := strconv.Unquote(l.Value); err == nil {
			return s
		}
	}
	return ""
}

// inspect walks the code of one folder without its tests.
func inspect(t *testing.T, dir string, see func(ast.Node)) {
	t.Helper()
	_, list := sources(t)
	for _, s := range list {
		if s.dir == dir && !s.test {
			ast.Inspect(s.file, func(n ast.Node) bool { see(n); return true })
		}
	}
}

// causes are the constants Cause… of the lane and the parts that the daemon
// opens, whose faults keep it closed.
func causes(t *testing.T) []string {
	out := []string{"configuration"} // NewBroken
	inspect(t, "gate", func(n ast.Node) {
		if v, ok := n.(*ast.ValueSpec); ok {
			for i, name := range v.Names {
				if strings.HasPrefix(name.Name, "Cause") && i < len(v.Values) {
					out = append(out, text(v.Values[i]))
				}
			}
		}
	})
	inspect(t, "cmd/gated/app", func(n ast.Node) {
		if c, ok := n.(*ast.CallExpr); ok {
			if f, ok := c.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "open" && len(c.Args) == 2 && text(c.Args[0]) != "" {
				out = append(out, text(c.Args[0]))
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// firsts are the first strings of composite literals of a type, also where its
// name is left out within a list of it.
func firsts(t *testing.T, dir, typ string) []string {
	var out []string
	add := func(c *ast.CompositeLit) {
		if len(c.Elts) > 0 && text(c.Elts[0]) != "" {
			out = append(out, text(c.Elts[0]))
		}
	}
	is := func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return ok && id.Name == typ }
	inspect(t, dir, func(n ast.Node) {
		c, ok := n.(*ast.CompositeLit)
		if !ok {
			return
		}
		if is(c.Type) {
			add(c)
		}
		if l, ok := c.Type.(*ast.ArrayType); ok && is(l.Elt) {
			for _, e := range c.Elts {
				if inner, ok := e.(*ast.CompositeLit); ok && inner.Type == nil {
					add(inner)
				}
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// alert is a rule of configs/alerts.yaml.
type alert struct {
	Alert       string `yaml:"alert"`
	Annotations struct {
		Summary string `yaml:"summary"`
		Cure    string `yaml:"cure"`
	} `yaml:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var doc struct {
		Groups []struct {
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal([]byte(readDoc(t, "../configs/alerts.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	var out []alert
	for _, g := range doc.Groups {
		out = append(out, g.Rules...)
	}
	return out
}

var template = regexp.MustCompile(`\{\{[^}]*\}\}`)

// generated parts of the page, by the word in their marks.
func generatedParts(t *testing.T) map[string]string {
	var rows, rules strings.Builder
	rows.WriteString("| word | service | what to do |\n| --- | --- | --- |\n")
	for _, d := range gate.Degraded() {
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", d.Code(), d.Service, d.Technician)
	}
	rules.WriteString("| alert | what it means | what to do |\n| --- | --- | --- |\n")
	for _, a := range alerts(t) {
		fmt.Fprintf(&rules, "| `%s` | %s | %s |\n", a.Alert, template.ReplaceAllString(a.Annotations.Summary, "…"), a.Annotations.Cure)
	}
	return map[string]string{"degraded": rows.String(), "alerts": rules.String()}
}

// TestTroubleshooting holds docs/troubleshooting.md to every word that a gate
// can say of what is wrong.
func TestTroubleshooting(t *testing.T) {
	page := readDoc(t, troubleshooting)
	for word, want := range generatedParts(t) {
		part := regexp.MustCompile(`(?s)(<!-- ` + word + ` begins?: [^>]*-->\n)(.*?)(<!-- ` + word + ` ends? -->)`)
		m := part.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("the page has no place for %s", word)
		}
		if m[2] != want && !*updatePages {
			t.Errorf("%s of the page is not the code's: go test ./cmd -run TestTroubleshooting -pages", word)
		}
		page = strings.Replace(page, m[0], m[1]+want+m[3], 1)
	}
	if *updatePages {
		if err := os.WriteFile(troubleshooting, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	const byReason = "A reason, of one traveller"
	have := words(t, page, byReason)
	var want []string
	for _, r := range reason.Reasons() {
		want = append(want, r.String())
	}
	sameWords(t, byReason, have, want)
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (?:mark|refer|refuse) \\| (.*) \\|$").FindAllStringSubmatch(readDoc(t, "../docs/reasons.md"), -1) {
		if row := have[m[1]]; row != nil && row[0] != m[2] {
			t.Errorf("%s means %q here and %q in docs/reasons.md", m[1], row[0], m[2])
		}
	}
	for heading, want := range map[string][]string{
		"A cause, of a lane that does not serve": causes(t),
		"A line of gatectl doctor":               append(firsts(t, "cmd/gatectl/doctor", "step"), "config", "scanner"),
		"A line of the self-test":                append(firsts(t, "cmd/gated/app", "namedCheck"), "document_camera", "face_camera"),
	} {
		sameWords(t, heading, words(t, page, heading), slices.Compact(want))
	}
}

// wiringNames are the words of a gate's file below a key of turnstile.
func wiringNames(t *testing.T, key string) []string {
	t.Helper()
	var file struct {
		Turnstile map[string]yaml.Node `yaml:"turnstile"`
	}
	if err := yaml.Unmarshal([]byte(readDoc(t, "../configs/gate.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var names map[string]int
	n := file.Turnstile[key]
	if err := n.Decode(&names); err != nil || len(names) == 0 {
		t.Fatalf("turnstile.%s of configs/gate.yaml: %v", key, err)
	}
	return slices.Sorted(maps.Keys(names))
}

// TestWiringIsDrawn holds that each input and output of a gate's file stands on
// the wiring page and in its picture, with the channel that the file gives it.
func TestWiringIsDrawn(t *testing.T) {
	page, picture := readDoc(t, "../docs/hardware.md"), readDoc(t, "../docs/img/wiring-io-board.svg")
	for _, key := range []string{"inputs", "outputs"} {
		for _, name := range wiringNames(t, key) {
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/hardware.md does not name %s", name)
			}
			if !strings.Contains(picture, ">"+name+"<") {
				t.Errorf("the picture of the board does not have %s", name)
			}
		}
	}
	files, err := filepath.Glob("../docs/img/*.svg")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	for _, f := range files {
		svg := readDoc(t, f)
		if !strings.Contains(svg, "<title ") || !strings.Contains(svg, "<desc ") {
			t.Errorf("%s has no title or no desc", f)
		}
		if !strings.Contains(page, "img/"+filepath.Base(f)) {
			t.Errorf("docs/hardware.md does not show %s", f)
		}
	}
}

// TestIndexListsEveryPage holds docs/index.md to the folder.
func TestIndexListsEveryPage(t *testing.T) {
	index := readDoc(t, "../docs/index.md")
	for _, pattern := range []string{"../docs/*.md", "../docs/*.yaml", "../docs/vi/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, f := range files {
			name := strings.TrimPrefix(f, "../docs/")
			if name != "index.md" && !regexp.MustCompile(`(?m)^\| \[[^]]+\]\(`+regexp.QuoteMeta(name)+`\) \| \S`).MatchString(index) {
				t.Errorf("docs/index.md has no row for %s", name)
			}
		}
	}
}

// TestGuidesAgree holds the guides in two languages to the same commands and
// words of the code, and the officer's to every reason.
func TestGuidesAgree(t *testing.T) {
	code := regexp.MustCompile("`[^`\n]+`|(?m)^    \\S.*$")
	found, err := filepath.Glob("../docs/vi/*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	for _, vi := range found {
		en := filepath.Join("../docs", filepath.Base(vi))
		have, want := code.FindAllString(readDoc(t, vi), -1), code.FindAllString(readDoc(t, en), -1)
		for _, w := range want {
			if !slices.Contains(have, w) {
				t.Errorf("%s lacks %s", vi, w)
			}
		}
		for _, h := range have {
			if !slices.Contains(want, h) {
				t.Errorf("%s has %s, which %s has not", vi, h, en)
			}
		}
	}
	guide := readDoc(t, "../docs/guide-officer.md")
	for _, r := range reason.Reasons() {
		if !strings.Contains(guide, "`"+r.String()+"`") {
			t.Errorf("docs/guide-officer.md says nothing of %s", r)
		}
	}
}

// TestTenCommands holds the list that the package's test runs to its length.
func TestTenCommands(t *testing.T) {
	part := regexp.MustCompile(`(?s)<!-- ten commands:[^>]*-->(.*?)<!-- end of the ten commands -->`).FindStringSubmatch(readDoc(t, "../docs/install.md"))
	if part == nil {
		t.Fatal("docs/install.md has no list of commands")
	}
	n := len(regexp.MustCompile(`(?m)^    \S`).FindAllString(part[1], -1))
	if n < 3 || n > 10 {
		t.Errorf("%d commands from the package to a tested lane, want at most ten", n)
	}
	if !strings.Contains(readDoc(t, "../.setup/deb-test"), "ten commands:") {
		t.Error(".setup/deb-test does not run them")
	}
}
