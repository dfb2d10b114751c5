// Package house_test holds the rules of the house: which room may import what,
// and why; one package doc per directory; nothing at the top that has no place
// there; no sleeping in tests; docs that name only what exists. It reads every
// Go file from source, so that files behind build tags are held too.
package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "bordergate"

// room is a folder of the house, or with "/..." the folder and all below it.
// The first row that fits a folder holds for it.
type room struct {
	dir     string
	rooms   []string // folders of this module that it may import
	outside []string // import paths from other modules, and below them
	why     string
}

// rooms is the plan of the house, the narrower rows first.
func rooms() []room {
	const (
		unix = "golang.org/x/sys/unix"
		bolt = "go.etcd.io/bbolt"
		paho = "github.com/eclipse/paho.mqtt.golang"
	)
	// every is all rooms but the one with C++ in it.
	every := []string{
		"gate", "gate/reason", "gate/screen", "barcode/symbol", "barcode/seal", "barcode/pass", "biometrics", "biometrics/recogniser",
		"hal/...", "sync/...", "configs",
	}
	return []room{
		{
			"cmd/gated/...", append([]string{"cmd/gated/..."}, every...),
			[]string{unix, "github.com/coreos/go-systemd/v22"},
			"the process that commands the turnstile wires all rooms and has no C++ in it",
		},
		{
			"cmd/gatevision/...",
			[]string{"cmd/gatevision/...", "biometrics", "biometrics/vision", "barcode/symbol", "hal/vision", "configs"},
			[]string{unix},
			"a camera's worker sees pixels and its models, never an account, a key or a turnstile",
		},
		{
			"cmd/gatectl/...", append([]string{"cmd/gatectl/..."}, every...),
			[]string{
				unix, "go.yaml.in/yaml/v3", "github.com/boombuler/barcode", "golang.org/x/image", "golang.org/x/term",
				"golang.org/x/text/unicode/norm", "codeberg.org/go-pdf/fpdf", "github.com/go-fonts/liberation",
			},
			"the technician's tool uses the rooms and runs gatevision for images; it is not the daemon",
		},
		{
			"cmd/gatesim/...", append([]string{"cmd/gatesim/..."}, every...),
			[]string{unix, paho, "github.com/creack/pty", "github.com/boombuler/barcode", "golang.org/x/image", "golang.org/x/sync", "go.yaml.in/yaml/v3"},
			"the simulator meets the daemon on real wires only, so it must not share its code",
		},
		{
			"cmd/gatebench/...",
			append([]string{"cmd/gatebench/..."}, every...),
			[]string{unix, "github.com/boombuler/barcode"},
			"the benchmarks measure the rooms from outside; peers are other processes",
		},
		{
			"cmd/hqd/...",
			[]string{"cmd/hqd/...", "gate/reason", "sync/...", "barcode/seal", "barcode/pass", "biometrics", "configs"},
			[]string{unix, bolt, paho, "github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go", "go.yaml.in/yaml/v3", "golang.org/x/crypto/argon2"},
			"headquarters knows records, accounts and passes, and no gate's hardware",
		},
		{"gate/reason", nil, nil, "the one list of outcomes stands below everything that names them"},
		{"gate/screen/browsertest", nil, nil, "a browser for the tests of pages, and nothing of ours in it"},
		{"gate/screen", []string{"gate", "gate/reason"}, nil, "the screen shows what the lane says and decides nothing"},
		{"gate", []string{"gate/reason"}, nil, "the domain has no I/O: it declares the small interfaces it needs and stays testable without any device"},
		{
			"barcode/symbol", nil,
			[]string{"github.com/makiuchi-d/gozxing", "github.com/boombuler/barcode"},
			"symbols are read and drawn here, and nothing is known of what their bytes mean",
		},
		{"barcode/seal", nil, []string{"golang.org/x/crypto", "github.com/ProtonMail/go-crypto/brainpool"}, "a seal is verified by cryptography alone, wherever its bytes come from"},
		{"barcode/pass", []string{"barcode/seal"}, nil, "a pass is read from a verified seal only"},
		{
			"biometrics/vision",
			[]string{"biometrics"},
			[]string{"gocv.io/x/gocv", unix},
			"the only room with C++: its exceptions abort the process, so it lives in the workers",
		},
		{"biometrics/recogniser", []string{"biometrics", "configs"}, nil, "one place reads a manifest's recogniser, for the office, the gate and the simulator alike"},
		{"biometrics/onnxtest", nil, nil, "small networks for tests, written by hand"},
		{"biometrics", nil, nil, "matching and thresholds are pure Go, so that they run and are tested without cgo"},
		{"hal/port", []string{"hal"}, []string{"github.com/tarm/serial", unix}, "one place knows the serial library and its traps"},
		{"hal/turnstile/modbus/modbustest", []string{"hal", "cmd/gatesim/tty"}, nil, "a slave that is not ours, as a process, at the end of a simulated wire"},
		{"hal/fitting", []string{"hal/...", "configs"}, nil, "one place makes drivers of a gate's file, for the daemon and the technician's tool alike"},
		{"hal/turnstile/boardtest", []string{"hal", "hal/haltest", "cmd/gatesim/board"}, nil, "the other end of a driver's wire, for the suite that every driver passes"},
		{"hal/...", []string{"hal/..."}, []string{unix}, "devices know nothing of travellers, accounts or decisions"},
		{"sync/wire", nil, []string{"golang.org/x/crypto"}, "the messages stand below every part that sends or stores them"},
		{"sync/vault", []string{"sync/wire"}, []string{"golang.org/x/crypto", unix}, "data at rest is sealed here, whoever owns it"},
		{"sync/journal", []string{"sync/wire", "sync/vault"}, []string{bolt, unix}, "what happened is kept without knowing how it travels"},
		{"sync/accounts", []string{"sync/wire", "sync/vault"}, []string{bolt, unix}, "the replica is filled by messages and needs no session to be read"},
		{"sync/link", []string{"sync/wire", "sync/vault"}, []string{paho, unix}, "the session declares what it needs of the journal and the replica"},
		{"sync/outbox", []string{"sync/wire", "sync/journal", "sync/link"}, nil, "the one place where the journal and the session that empties it meet"},
		{"sync/link/linktest", nil, []string{"github.com/nats-io/nats-server/v2"}, "a real broker for tests, and nothing else"},
		{"sync/link/mosquittotest", nil, nil, "a broker that is not ours, as a process, and nothing of ours in it"},
		{"configs", nil, []string{"go.yaml.in/yaml/v3"}, "plain structs: the wiring converts them, so no room depends on a file's form"},
		{"cmd", []string{"gate", "gate/reason"}, nil, "the rules of the house belong to no program, and its pages are held to the words of the domain"},
	}
}

// inTests is what the tests of any room may use beside its own imports.
func inTests() []string {
	return []string{
		"pgregory.net/rapid", "github.com/creack/pty", "github.com/nats-io/nats-server/v2", "github.com/boombuler/barcode",
		"go.etcd.io/bbolt", "golang.org/x/crypto", "golang.org/x/sys/unix", "golang.org/x/image", "go.yaml.in/yaml/v3",
		"github.com/eclipse/paho.mqtt.golang",
	}
}

// source is one parsed Go file.
type source struct {
	name string // from the top, with slashes
	dir  string
	test bool
	file *ast.File
}

func (s source) imports() []string {
	var list []string
	for _, spec := range s.file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// sources parses every Go file below the top, whatever its build tags.
func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set := token.NewFileSet()
	var list []source
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || generated(name) || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		file, err := parser.ParseFile(set, filepath.Join("..", name), nil, parser.ParseComments)
		if err != nil {
			return err
		}
		list = append(list, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), file})
		return nil
	})
	if err != nil {
		t.Fatalf("read sources: %v", err)
	}
	return set, list
}

// generated says whether a folder at the top is made by make and git-ignored.
func generated(name string) bool { return slices.Contains([]string{"bin", "out", "models"}, name) }

// fits says whether a folder or import path is what the pattern names.
func fits(pattern, name string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}

// atTheWire are the simulated devices, the other ends of the daemon's wires.
func atTheWire() []string {
	return []string{"cmd/gatesim/board", "cmd/gatesim/camera", "cmd/gatesim/scanner", "cmd/gatesim/scene", "cmd/gatesim/tty"}
}

func below(paths []string, name string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return fits(p+"/...", name) })
}

// judge returns why a file of dir must not import what it does, empty when it may.
func judge(plan []room, dir, imported string, test bool) string {
	i := slices.IndexFunc(plan, func(r room) bool { return fits(r.dir, dir) })
	if i < 0 {
		return "the folder is not in the plan of the house: give it a row, with a reason"
	}
	r := plan[i]
	inner, ours := strings.CutPrefix(imported, module+"/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case ours && (inner == dir && test || slices.ContainsFunc(r.rooms, func(p string) bool { return fits(p, inner) })):
		return ""
	case ours && test && fits("hal/turnstile/...", dir) && inner == "cmd/gatesim/board":
		return "" // a driver is tested against the other end of its wire
	case ours && test && dir == "cmd/gated/app" && slices.Contains(atTheWire(), inner):
		return "" // the daemon's parts are tested from the wire on, and with what breaks there
	case ours && test && fits("cmd/gatectl/...", dir) && slices.Contains(atTheWire(), inner):
		return "" // the technician's tool tries simulated devices on real wires
	case ours && test && dir == "cmd/gated/app" && inner == "cmd/hqd/app":
		return "" // the daemon's days without headquarters, and its return
	case ours && test && fits("cmd/gatevision", dir) && inner == "biometrics/recogniser":
		return "" // what a worker embeds is what the others compare
	case ours && test && strings.HasSuffix(inner, "test") && inner != "biometrics/vision":
		return ""
	case ours:
		return r.why
	case imported == "C" && dir != "biometrics/vision":
		return "cgo stays behind biometrics/vision"
	case imported == "os/signal" && !fits("cmd/...", dir):
		return "signals become a context in a program's main only"
	case !strings.Contains(first, ".") || below(r.outside, imported):
		return ""
	case test && below(inTests(), imported):
		return ""
	}
	return r.why
}

func TestImports(t *testing.T) {
	set, list := sources(t)
	plan := rooms()
	if len(list) < 10 {
		t.Fatalf("%d files found: the walk is broken", len(list))
	}
	for _, s := range list {
		for i, imported := range s.imports() {
			if why := judge(plan, s.dir, imported, s.test); why != "" {
				t.Errorf("%s imports %s: %s", set.Position(s.file.Imports[i].Pos()), imported, why)
			}
		}
	}
}

func TestImportRulesBite(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		test, ok      bool
	}{
		{"gate", "bordergate/gate/reason", false, true},
		{"gate", "bordergate/hal", false, false},
		{"gate", "go.etcd.io/bbolt", false, false},
		{"gate", "pgregory.net/rapid", true, true},
		{"gate", "pgregory.net/rapid", false, false},
		{"gate", "gocv.io/x/gocv", true, false},
		{"cmd/gated/app", "bordergate/biometrics", false, true},
		{"cmd/gated/app", "bordergate/biometrics/vision", false, false},
		{"cmd/gated/app", "bordergate/biometrics/vision", true, false},
		{"cmd/gated/app", "bordergate/cmd/gatesim/scanner", true, true},
		{"cmd/gated/app", "bordergate/cmd/gatesim/board", true, true},
		{"cmd/gated/app", "bordergate/cmd/gatesim/board", false, false},
		{"cmd/gated/app", "bordergate/cmd/gatesim/station", true, false},
		{"cmd/gated/app", "bordergate/cmd/gatesim/scanner", false, false},
		{"cmd/gated/app", "bordergate/cmd/hqd/app", true, true},
		{"cmd/gated/app", "bordergate/cmd/hqd/app", false, false},
		{"cmd/gatectl", "bordergate/cmd/gated/app", false, false},
		{"cmd/gatevision", "bordergate/sync/vault", false, false},
		{"cmd/hqd", "bordergate/hal", false, false},
		{"biometrics", "bordergate/biometrics/vision", false, false},
		{"biometrics", "C", false, false},
		{"sync/wire", "bordergate/sync/link", false, false},
		{"hal/port", "os/signal", false, false},
		{"hal/turnstile/modbusio", "bordergate/hal/haltest", true, true},
		{"utils", "fmt", false, false},
	} {
		if why := judge(rooms(), c.dir, c.imported, c.test); (why == "") != c.ok {
			t.Errorf("%s importing %s (test %v): %q, want allowed %v", c.dir, c.imported, c.test, why, c.ok)
		}
	}
}

func TestOnePackageDocPerDirectory(t *testing.T) {
	_, list := sources(t)
	docs := map[string][]string{}
	for _, s := range list {
		if s.test {
			continue
		}
		if docs[s.dir] == nil {
			docs[s.dir] = []string{}
		}
		if s.file.Doc != nil {
			docs[s.dir] = append(docs[s.dir], s.name)
			wanted := "Package " + s.file.Name.Name + " "
			if s.file.Name.Name == "main" {
				wanted = "Command " + path.Base(s.dir) + " "
			}
			if !strings.HasPrefix(s.file.Doc.Text(), wanted) {
				t.Errorf("%s: the package doc does not begin with %q", s.name, wanted)
			}
		}
	}
	for dir, files := range docs {
		if len(files) != 1 {
			t.Errorf("%s: %d package docs %v, want exactly one", dir, len(files), files)
		}
	}
}

func TestTopHoldsOnlyTheHouse(t *testing.T) {
	known := []string{
		"cmd", "gate", "biometrics", "barcode", "sync", "hal", "configs", "docs", "go.mod", "go.sum", "Makefile",
		"README.md", "README.vi.md", "LICENSE", "CHANGELOG.md",
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if n := e.Name(); !slices.Contains(known, n) && !strings.HasPrefix(n, ".") && !generated(n) {
			t.Errorf("%s has no place at the top: it belongs into one of %v", n, known)
		}
	}
}

func TestNoSleepInTests(t *testing.T) {
	set, list := sources(t)
	for _, s := range list {
		if !s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && sel.Sel.Name == "Sleep" {
				t.Errorf("%s: a test sleeps: wait for an event, or use testing/synctest", set.Position(sel.Pos()))
			}
			return true
		})
	}
}

func TestFilesStayReadable(t *testing.T) {
	const most = 800
	set, list := sources(t)
	for _, s := range list {
		if n := set.File(s.file.Pos()).LineCount(); n > most {
			t.Errorf("%s has %d lines: split it by role (at most %d)", s.name, n, most)
		}
	}
}

// documents lists the project's prose.
func documents(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"../*.md", "../docs/*.md", "../docs/vi/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	if len(list) == 0 {
		t.Fatal("no documents found")
	}
	return list
}

// TestPathsInDocsExist looks at `code` that begins with a folder of the house
// and at the targets of links.
func TestPathsInDocsExist(t *testing.T) {
	code := regexp.MustCompile("`([^`\n]+)`")
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, doc := range documents(t) {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllStringSubmatch(string(text), -1) {
			if named, ok := pathIn(m[1]); ok {
				mustExist(t, doc, filepath.Join("..", named))
			}
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target != "" && !strings.Contains(target, "://") {
				mustExist(t, doc, filepath.Join(filepath.Dir(doc), target))
			}
		}
	}
}

func mustExist(t *testing.T, doc, name string) {
	t.Helper()
	if _, err := os.Stat(name); err != nil {
		t.Errorf("%s names %s, which does not exist", doc, strings.TrimPrefix(name, "../"))
	}
}

// pathIn returns the path that a piece of code in a document names, if it names
// one of the house's own.
func pathIn(text string) (string, bool) {
	first, rest, deep := strings.Cut(text, "/")
	if !deep || rest == "" || strings.ContainsAny(text, " *<>{}$…:=") || strings.Contains(text, "...") {
		return "", false
	}
	own := []string{"cmd", "gate", "biometrics", "barcode", "sync", "hal", "configs", "docs", ".ci", ".setup", ".tools"}
	return text, slices.Contains(own, first)
}

// TestDependenciesAreDocumented holds that each module whose packages this one
// imports stands in the document with the version of go.mod.
func TestDependenciesAreDocumented(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:require )?(\S+\.\S+) (v\S+)`).FindAllStringSubmatch(string(mod), -1) {
		versions[m[1]] = m[2]
	}
	doc, err := os.ReadFile("../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list := sources(t)
	seen := map[string]bool{}
	for _, s := range list {
		for _, imported := range s.imports() {
			if owner := moduleOf(versions, imported); owner != "" {
				seen[owner] = true
			}
		}
	}
	if len(seen) == 0 {
		t.Fatal("no import from another module found: the match with go.mod is broken")
	}
	for owner := range seen {
		if !strings.Contains(string(doc), "`"+owner+"`") || !strings.Contains(string(doc), versions[owner]) {
			t.Errorf("docs/dependencies.md does not name `%s` at %s", owner, versions[owner])
		}
	}
}

// moduleOf returns the module of go.mod with the longest path that holds the
// imported package, empty for none.
func moduleOf(versions map[string]string, imported string) (owner string) {
	for name := range versions {
		if fits(name+"/...", imported) && len(name) > len(owner) {
			owner = name
		}
	}
	return owner
}
