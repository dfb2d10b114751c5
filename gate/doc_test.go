package gate

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var updateDoc = flag.Bool("gate.doc", false, "write the tables of docs/lane.md anew")

// leads says where each move may lead beside staying, in one hop; from Ready the
// lane goes on at once where something is in the way. The safety properties hold
// the machine to it.
var leads = map[string][]State{
	"blockedAfter":          {Blocked},
	"carryOut":              {Ready, Confirming, Granted, ReferredAway, OutOfService},
	"changeModeMatching":    {Confirming, Deciding},
	"changeModeReady":       {Closed, Maintenance},
	"clearedIfOff":          {Ready},
	"confirm":               {Deciding},
	"confirmLate":           {Deciding},
	"decideNow":             {Confirming, Deciding},
	"deviceChanged":         {OutOfService},
	"deviceWhileGranted":    {OutOfService},
	"emergencyWhileGranted": {ReferredAway, Emergency},
	"eyesWhileMatching":     {Deciding},
	"followWaiting":         {Deciding},
	"grantFailed":           {ReferredAway},
	"heldOpenReady":         {Blocked},
	"journalLost":           {OutOfService},
	"leftEarly":             {Ready},
	"leftReferred":          {Ready},
	"matchFace":             {Confirming, Deciding},
	"openOrStay":            {Closed, SelfTest, Maintenance},
	"override":              {Deciding},
	"passageCompleted":      {Clearing},
	"passageStarted":        {Passing},
	"passageStuck":          {Blocked},
	"readSymbol":            {Matching, Confirming, Deciding},
	"recheck":               {Reading, Blocked, Emergency, OutOfService},
	"recheckGrant":          {ReferredAway},
	"reconsider":            {Deciding},
	"recordFailed":          {OutOfService},
	"recoverService":        {SelfTest, Emergency},
	"referredOver":          {Ready},
	"rematch":               {Confirming, Deciding},
	"signedOff":             {Closed, SelfTest},
	"steppedBack":           {ReferredAway},
	"testDone":              {Ready, Emergency},
	"testOver":              {Ready, OutOfService},
	"toEmergency":           {Emergency},
	"toSelfTest":            {SelfTest, Emergency},
	"unblockIfOff":          {Ready},
	"unobserved":            {Ready, Clearing},
	"unused":                {ReferredAway, Blocked},
	"watchGrant":            {ReferredAway},
	"wrongWayGranted":       {Clearing},
}

// place marks what a test writes in docs/lane.md.
const (
	tableBegins = "<!-- the table begins: go test ./gate -run TestLaneIsDocumented -gate.doc -->\n"
	tableEnds   = "<!-- the table ends -->\n"
)

// sayings are the comments of the moves: what each does.
func sayings(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Doc != nil {
				text := strings.Join(strings.Fields(fn.Doc.Text()), " ")
				out[fn.Name.Name] = strings.TrimPrefix(text, fn.Name.Name+" ")
			}
		}
	}
	return out
}

// laneTable is the table as docs/lane.md has it.
func laneTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	table, times := newTable(), DefaultTimes()
	used := map[string]bool{}
	b.WriteString("| state | lasts at most | input | move |\n| --- | --- | --- | --- |\n")
	for _, s := range States() {
		last := "–"
		if l := s.limit(times); l > 0 {
			last = l.String()
		}
		for in, do := range table[s] {
			name := moveName(do)
			if name == "stay" {
				continue
			}
			used[name] = true
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s, last, inputText[in], name)
		}
	}
	b.WriteString("\n| move | leads to | what it does |\n| --- | --- | --- |\n")
	say := sayings(t)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if say[name] == "" {
			t.Errorf("move %s says nothing of itself", name)
		}
		to := []string{}
		for _, s := range leads[name] {
			to = append(to, s.String())
		}
		if len(to) == 0 {
			to = append(to, "stays")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, strings.Join(to, ", "), say[name])
	}
	return b.String()
}

// TestLaneIsDocumented holds docs/lane.md to the table.
func TestLaneIsDocumented(t *testing.T) {
	const file = "../docs/lane.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegins)
	_, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok || !ok2 {
		t.Fatal("docs/lane.md has no place for the table")
	}
	want := before + tableBegins + laneTable(t) + tableEnds + after
	if *updateDoc {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // a public file
			t.Fatal(err)
		}
	}
	if string(text) != want {
		t.Error("docs/lane.md is not what the table says: go test ./gate -run TestLaneIsDocumented -gate.doc")
	}
}

// TestEveryStateIsBounded: a state ends by its time, or is one in which nobody is
// served; the list is written by hand.
func TestEveryStateIsBounded(t *testing.T) {
	unbounded := map[State]bool{Closed: true, Ready: true, Blocked: true, Emergency: true, Maintenance: true, OutOfService: true}
	for _, s := range States() {
		if got := s.limit(DefaultTimes()); (got == 0) != unbounded[s] {
			t.Errorf("%v lasts at most %v", s, got)
		}
	}
}
