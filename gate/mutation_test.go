//go:build mutation

package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMutants changes one thing at a time in a copy of the package, of which
// one build holds all mutants, and runs the room's tests against each: every
// one of them must fail. It takes minutes:
//
//	go test -tags mutation ./gate -run TestMutants -v -timeout 60m
func TestMutants(t *testing.T) {
	dir := t.TempDir()
	guards := rewrite(t, dir)
	bin := filepath.Join(dir, "mutants.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if by := killedBy(t.Context(), bin, "none"); by != "" {
		t.Fatalf("the tests fail without a change: %s", by)
	}
	mutants := map[string]string{} // how the build is told, and what it is
	for s, row := range newTable() {
		for in, do := range row {
			if name := moveName(do); name != "stay" {
				mutants[fmt.Sprintf("cell %d %d", s, in)] = fmt.Sprintf("%v x %s: %s becomes stay", State(s), inputText[in], name)
			}
		}
	}
	for i, g := range guards {
		mutants[fmt.Sprintf("guard %d", i)] = g + " is negated"
	}
	lines := make(chan string, len(mutants))
	places := make(chan struct{}, runtime.GOMAXPROCS(0))
	var runs sync.WaitGroup
	for id, what := range mutants {
		runs.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if by := killedBy(t.Context(), bin, id); by != "" {
				lines <- what + ": killed by " + by
				return
			}
			lines <- what + ": SURVIVED"
		})
	}
	runs.Wait()
	close(lines)
	killed := 0
	for l := range lines {
		if strings.HasSuffix(l, "SURVIVED") {
			t.Error(l)
			continue
		}
		killed++
		t.Log(l)
	}
	t.Logf("%d mutants, %d killed", len(mutants), killed)
}

// guarded are the files whose conditions are negated.
var guarded = []string{"decide.go", "emergency.go", "follow.go", "machine.go", "mode.go", "moves.go", "override.go", "passage.go", "supervise.go"}

// killedBy runs the room's tests on one mutant and names the first that fails,
// or nothing. Tests that hold a page to the table do not count.
func killedBy(ctx context.Context, bin, id string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, bin, "-test.failfast", "-test.skip", "Documented|TestMutants", "-rapid.nofailfile", "-rapid.shrinktime=0s", "-gate.steps=60000")
	c.Env = append(os.Environ(), "GATE_MUTANT="+id)
	out, err := c.CombinedOutput()
	if err == nil {
		return ""
	}
	if _, rest, ok := strings.Cut(string(out), "--- FAIL: "); ok {
		return strings.Fields(rest)[0]
	}
	if strings.Contains(string(out), "panic") {
		return "a panic"
	}
	return err.Error()
}

// edit is text to be put in at an offset.
type edit struct {
	at    int
	depth int // of two at one place the outer begins first and ends last
	text  string
}

// rewrite writes the package's files with a switch around each condition, the
// switches themselves, and the overlay that has them built.
func rewrite(t *testing.T, dir string) (guards []string) {
	t.Helper()
	overlay := map[string]string{}
	put := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		own, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		overlay[own] = path
	}
	for _, name := range guarded {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		var edits []edit
		for _, c := range conditions(f) {
			from, to := set.Position(c.expr.Pos()).Offset, set.Position(c.expr.End()).Offset
			edits = append(edits, edit{from, from - to, fmt.Sprintf("mutant(%d, ", len(guards))}, edit{to, 1 << 30, ")"})
			guards = append(guards, fmt.Sprintf("%s %s: %s", name, c.in, strings.Join(strings.Fields(string(src[from:to])), " ")))
		}
		slices.SortStableFunc(edits, func(a, b edit) int {
			if a.at != b.at {
				return a.at - b.at
			}
			if end := b.text == ")"; end != (a.text == ")") {
				if end {
					return 1 // what ends here ends before anything begins
				}
				return -1
			}
			return a.depth - b.depth
		})
		out := string(src)
		for _, e := range slices.Backward(edits) {
			out = out[:e.at] + e.text + out[e.at:]
		}
		put(name, out)
	}
	table, err := os.ReadFile("table.go")
	if err != nil {
		t.Fatal(err)
	}
	put("table.go", strings.Replace(string(table), "func newTable() [stateCount]row {", "func newTableAsWritten() [stateCount]row {", 1))
	put("mutant.go", switches)
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return guards
}

const switches = `package gate

import (
	"fmt"
	"os"
)

var mutantGuard, mutantState, mutantInput = -1, -1, -1

func init() {
	id := os.Getenv("GATE_MUTANT")
	if n, _ := fmt.Sscanf(id, "guard %d", &mutantGuard); n == 1 {
		return
	}
	_, _ = fmt.Sscanf(id, "cell %d %d", &mutantState, &mutantInput)
}

func mutant(n int, is bool) bool { return is != (n == mutantGuard) }

func newTable() [stateCount]row {
	t := newTableAsWritten()
	if mutantInput >= 0 {
		t[mutantState][mutantInput] = stay
	}
	return t
}
`

// condition is a boolean expression and the function that it stands in.
type condition struct {
	expr ast.Expr
	in   string
}

// conditions are those of a file: what an if, a loop or a case without a subject
// asks, each operand of and and or, each comparison.
func conditions(f *ast.File) []condition {
	var out []condition
	have := map[[2]token.Pos]bool{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		add := func(e ast.Expr) {
			if e == nil {
				return
			}
			if p, ok := e.(*ast.ParenExpr); ok {
				e = p.X
			}
			if at := [2]token.Pos{e.Pos(), e.End()}; !have[at] {
				have[at] = true
				out = append(out, condition{e, fn.Name.Name})
			}
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				add(n.Cond)
			case *ast.SwitchStmt:
				if n.Tag != nil {
					break
				}
				for _, c := range n.Body.List {
					for _, e := range c.(*ast.CaseClause).List {
						add(e)
					}
				}
			case *ast.BinaryExpr:
				switch n.Op {
				case token.LAND, token.LOR:
					add(n.X)
					add(n.Y)
				case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
					add(n)
				}
			}
			return true
		})
	}
	return out
}
