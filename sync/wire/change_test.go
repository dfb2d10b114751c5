package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func goodPut() Change {
	return Change{
		Op: OpPut, Account: "a-1", Ver: 1, Status: StatusActive, Level: 2, Kind: KindCitizen,
		Model: "m", Reference: make([]byte, ReferenceSize),
	}
}

func goodStatus() Change {
	return Change{Op: OpStatus, Account: "a-1", Ver: 2, Status: StatusSuspended, Decision: &Decision{
		ID: strings.Repeat("0a", 16), Action: ActionSuspend, Role: DeciderCommander, Ground: GroundSecurity, By: "0f", At: 1,
	}}
}

func TestPutIsChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Change)
		err    error
	}{
		"good":            {func(*Change) {}, nil},
		"without a face":  {func(c *Change) { c.Reference = nil }, nil},
		"no account":      {func(c *Change) { c.Account = "" }, ErrChange},
		"long account":    {func(c *Change) { c.Account = strings.Repeat("a", MaxAccountID+1) }, ErrChange},
		"version 0":       {func(c *Change) { c.Ver = 0 }, ErrChange},
		"status":          {func(c *Change) { c.Status = "paused" }, ErrChange},
		"level":           {func(c *Change) { c.Level = 3 }, ErrChange},
		"kind":            {func(c *Change) { c.Kind = "robot" }, ErrChange},
		"short reference": {func(c *Change) { c.Reference = c.Reference[:MinReference-1] }, ErrChange},
		"long reference":  {func(c *Change) { c.Reference = make([]byte, MaxReference+1) }, ErrChange},
		"with a decision": {func(c *Change) { c.Decision = goodStatus().Decision }, ErrChange},
		"unknown op":      {func(c *Change) { c.Op = "drop" }, ErrChange},
		"empty op":        {func(c *Change) { c.Op = "" }, ErrChange},
	} {
		c := goodPut()
		tc.change(&c)
		if err := c.Check(); !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, want %v", name, err, tc.err)
		}
	}
}

func TestStatusNeedsALawfulDecision(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Change)
		ok     bool
	}{
		"commander suspends":    {func(*Change) {}, true},
		"no decision":           {func(c *Change) { c.Decision = nil }, false},
		"deputy with reference": {func(c *Change) { c.Decision.Role, c.Decision.Authorisation = DeciderDeputy, "A-1" }, true},
		"deputy without":        {func(c *Change) { c.Decision.Role = DeciderDeputy }, false},
		"unknown role":          {func(c *Change) { c.Decision.Role = "clerk" }, false},
		"owner with request":    {func(c *Change) { c.Decision.Ground, c.Decision.Request = GroundOwner, "R-1" }, true},
		"owner without":         {func(c *Change) { c.Decision.Ground = GroundOwner }, false},
		"ground of a restore":   {func(c *Change) { c.Decision.Ground = GroundCleared }, false},
		"unknown ground":        {func(c *Change) { c.Decision.Ground = "whim" }, false},
		"action against status": {func(c *Change) { c.Status = StatusActive }, false},
		"no time":               {func(c *Change) { c.Decision.At = 0 }, false},
		"nobody decides":        {func(c *Change) { c.Decision.By = "" }, false},
		"id":                    {func(c *Change) { c.Decision.ID = "x" }, false},
		"long text":             {func(c *Change) { c.Decision.Authorisation = strings.Repeat("x", 201) }, false},
		"restore": {func(c *Change) {
			c.Status, c.Decision.Action, c.Decision.Ground = StatusActive, ActionRestore, GroundCleared
		}, true},
		"restore for security": {func(c *Change) { c.Status, c.Decision.Action = StatusActive, ActionRestore }, false},
		"cancel":               {func(c *Change) { c.Status, c.Decision.Action = StatusCancelled, ActionCancel }, true},
		"unknown action":       {func(c *Change) { c.Decision.Action = "delete" }, false},
	} {
		c := goodStatus()
		tc.change(&c)
		if err := c.Check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrDecision) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func goodRevocation() Change {
	return Change{Op: OpRevoke, Pass: "P1", Ver: 1, Decision: &Decision{
		ID: strings.Repeat("0a", 16), Action: ActionRevoke, Role: DeciderIssuer, Ground: GroundLost, By: "0f", At: 1,
	}}
}

func TestChangesOfAPassAreChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Change)
		err    error
	}{
		"revocation":           {func(*Change) {}, nil},
		"commander revokes":    {func(c *Change) { c.Decision.Role, c.Decision.Ground = DeciderCommander, GroundSecurity }, nil},
		"no number":            {func(c *Change) { c.Pass = "" }, ErrChange},
		"long number":          {func(c *Change) { c.Pass = strings.Repeat("P", MaxPass+1) }, ErrChange},
		"version 0":            {func(c *Change) { c.Ver = 0 }, ErrChange},
		"with an account":      {func(c *Change) { c.Account = "a-1" }, ErrChange},
		"with a status":        {func(c *Change) { c.Status = StatusActive }, ErrChange},
		"with a reference":     {func(c *Change) { c.Reference = make([]byte, ReferenceSize) }, ErrChange},
		"revoked and stamped":  {func(c *Change) { c.Stamped = 1 }, ErrChange},
		"no decision":          {func(c *Change) { c.Decision = nil }, ErrDecision},
		"unknown role":         {func(c *Change) { c.Decision.Role = "clerk" }, ErrDecision},
		"deputy without":       {func(c *Change) { c.Decision.Role = DeciderDeputy }, ErrDecision},
		"ground of a restore":  {func(c *Change) { c.Decision.Ground = GroundCleared }, ErrDecision},
		"owner without":        {func(c *Change) { c.Decision.Ground = GroundOwner }, ErrDecision},
		"action of an account": {func(c *Change) { c.Decision.Action = ActionCancel }, ErrDecision},
		"no time":              {func(c *Change) { c.Decision.At = 0 }, ErrDecision},
		"stamp":                {func(c *Change) { c.Op, c.Decision, c.Stamped = OpStamp, nil, 1 }, nil},
		"stamp without a time": {func(c *Change) { c.Op, c.Decision = OpStamp, nil }, ErrChange},
		"stamp with decision":  {func(c *Change) { c.Op, c.Stamped = OpStamp, 1 }, ErrChange},
	} {
		c := goodRevocation()
		tc.change(&c)
		if err := c.Check(); !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, want %v", name, err, tc.err)
		}
	}
	for name, c := range map[string]Change{"pass": {Pass: "P1"}, "stamp": {Stamped: 1}} {
		p := goodPut()
		p.Pass, p.Stamped = c.Pass, c.Stamped
		if err := p.Check(); !errors.Is(err, ErrChange) {
			t.Errorf("an account's change with a %s: %v", name, err)
		}
	}
	// The office that issues passes decides on no account.
	s := goodStatus()
	s.Decision.Role = DeciderIssuer
	if err := s.Check(); !errors.Is(err, ErrDecision) {
		t.Errorf("the issuing office suspends: %v", err)
	}
	if !goodRevocation().Restricts() {
		t.Error("a revocation does not restrict")
	}
}

func testDelta(t testing.TB, key [32]byte) (Delta, [][]byte) {
	t.Helper()
	var raws [][]byte
	for _, c := range []Change{goodPut(), goodStatus()} {
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		raws = append(raws, raw)
	}
	raws = append(raws, []byte(`{"op":"later","account":"<é>","new":{"x":1}}`))
	d, err := SealDelta(4, 10, Hash{1}, raws, "g1", key)
	if err != nil {
		t.Fatal(err)
	}
	return d, raws
}

func TestDeltaOpensInItsPlaceOnly(t *testing.T) {
	key := [32]byte{1}
	d, raws := testDelta(t, key)
	entries, err := d.Open(key)
	if err != nil {
		t.Fatal(err)
	}
	want := Hash{1}
	for i, e := range entries {
		want = ChainNext(want, 4, 10+uint64(i), raws[i])
		if e.Seq != 10+uint64(i) || e.Hash != want {
			t.Fatalf("entry %d: seq %d, hash %s, want %s", i, e.Seq, e.Hash, want)
		}
	}
	for name, change := range map[string]func(*Delta){
		"epoch":  func(d *Delta) { d.Epoch++ },
		"first":  func(d *Delta) { d.First++ },
		"number": func(d *Delta) { d.N++ },
		"prev":   func(d *Delta) { d.Prev[0]++ },
		"key id": func(d *Delta) { d.Key = "g2" },
		"bytes":  func(d *Delta) { d.Sealed = flip(d.Sealed, len(d.Sealed)-1) },
		"short":  func(d *Delta) { d.Sealed = d.Sealed[:5] },
	} {
		bad, _ := testDelta(t, key)
		change(&bad)
		if _, err := bad.Open(key); !errors.Is(err, ErrSealed) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	if _, err := d.Open([32]byte{2}); !errors.Is(err, ErrSealed) {
		t.Errorf("another key: %v", err)
	}
}

func TestGroupKeyIsForOneGate(t *testing.T) {
	mine, err := NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	g, err := SealGroupKey(mine.PublicKey(), "lane-1", "g1", [32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	if key, err := g.Open("lane-1", mine); err != nil || key != [32]byte{9} {
		t.Fatalf("open: %v", err)
	}
	if _, err := g.Open("lane-2", mine); !errors.Is(err, ErrSealed) {
		t.Errorf("for another gate: %v", err)
	}
	if _, err := g.Open("lane-1", other); !errors.Is(err, ErrSealed) {
		t.Errorf("with another key: %v", err)
	}
	g.Kid = "g2"
	if _, err := g.Open("lane-1", mine); !errors.Is(err, ErrSealed) {
		t.Errorf("under another id: %v", err)
	}
}

func testRecords(t testing.TB, n int) Records {
	t.Helper()
	out := Records{Stream: "crossing", Epoch: 2, First: 1, N: n}
	var prev Hash
	for i := range n {
		r := Record{Gate: "lane-1", Epoch: 2, Stream: StreamCrossing, Seq: uint64(i + 1), Prev: prev, Kind: "decision"}
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		prev = HashOf(b)
		out.Records = append(out.Records, b)
	}
	return out
}

func TestRecordsMustFormAChain(t *testing.T) {
	if recs, hashes, err := testRecords(t, 3).Check("lane-1", StreamCrossing); err != nil || len(recs) != 3 || recs[2].Prev != hashes[1] {
		t.Fatalf("good batch: %v", err)
	}
	for name, tc := range map[string]struct {
		change func(*Records)
		gate   string
		err    error
	}{
		"another gate":   {func(*Records) {}, "lane-2", ErrChain},
		"another epoch":  {func(r *Records) { r.Epoch++ }, "lane-1", ErrChain},
		"shifted":        {func(r *Records) { r.First++ }, "lane-1", ErrChain},
		"swapped":        {func(r *Records) { r.Records[0], r.Records[1] = r.Records[1], r.Records[0] }, "lane-1", ErrChain},
		"other history":  {func(r *Records) { r.Records[1] = otherRecord(2) }, "lane-1", ErrChain},
		"changed byte":   {func(r *Records) { r.Records[1] = flip(r.Records[1], 20) }, "lane-1", ErrRecordCRC},
		"wrong number":   {func(r *Records) { r.N = 2 }, "lane-1", ErrPayload},
		"none":           {func(r *Records) { r.N, r.Records = 0, nil }, "lane-1", ErrPayload},
		"another stream": {func(r *Records) { r.Stream = "alarm" }, "lane-1", ErrPayload},
	} {
		r := testRecords(t, 3)
		tc.change(&r)
		if _, _, err := r.Check(tc.gate, StreamCrossing); !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, want %v", name, err, tc.err)
		}
	}
}

// otherRecord is a record that does not follow the one before it.
func otherRecord(seq uint64) []byte {
	r := Record{Gate: "lane-1", Epoch: 2, Stream: StreamCrossing, Seq: seq, Prev: Hash{9}, Kind: "decision"}
	b, err := r.Encode()
	if err != nil {
		return nil
	}
	return b
}

func TestLargestRecordFitsAMessage(t *testing.T) {
	r := Record{
		Gate: strings.Repeat("g", MaxGateID), Stream: StreamImage, Seq: 1, Kind: "image",
		Public: bytes.Repeat([]byte{'x'}, MaxPublic), Sealed: make([]byte, MaxSealed),
	}
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	msg := Records{Stream: "image", First: 1, N: 1, Records: [][]byte{b}, Keys: []DayKey{{Sealed: make([]byte, 80)}}}
	if _, err := SignJSON(testSigner("k", RoleGate), Header{Typ: TypeRecords, Ver: 1}, msg); err != nil {
		t.Fatal(err)
	}
}
