package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func testPolicy() Policy {
	return Policy{
		Ver: 3, Issued: 1, FMR: "1e-4", Liveness: LivenessEnforce, CacheMaxAge: 72 * 3600, Passback: 600,
		KindMaxAge: map[string]int64{KindForeigner: 3600}, Models: []Hash{{1}},
		Types: []TypeRule{{Type: "border_pass", Level: 2, StampEvery: 864000, StampSoon: 172800}},
	}
}

func TestPolicyForm(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Policy)
		ok     bool
	}{
		"good":              {func(*Policy) {}, true},
		"no manifest":       {func(p *Policy) { p.Models = nil }, true},
		"no version":        {func(p *Policy) { p.Ver = 0 }, false},
		"no time":           {func(p *Policy) { p.Issued = 0 }, false},
		"rate":              {func(p *Policy) { p.FMR = "0.1" }, false},
		"rate otherwise":    {func(p *Policy) { p.FMR = "0.0001" }, false},
		"liveness":          {func(p *Policy) { p.Liveness = "" }, false},
		"no types":          {func(p *Policy) { p.Types = nil }, false},
		"type twice":        {func(p *Policy) { p.Types = append(p.Types, p.Types[0]) }, false},
		"nameless type":     {func(p *Policy) { p.Types[0].Type = "" }, false},
		"level 0":           {func(p *Policy) { p.Types[0].Level = 0 }, false},
		"stamp soon":        {func(p *Policy) { p.Types[0].StampSoon++; p.Types[0].StampEvery = p.Types[0].StampSoon - 1 }, false},
		"negative stamp":    {func(p *Policy) { p.Types[0].StampEvery = -1 }, false},
		"old cache":         {func(p *Policy) { p.CacheMaxAge++ }, false},
		"no cache age":      {func(p *Policy) { p.CacheMaxAge = 0 }, false},
		"old cache of kind": {func(p *Policy) { p.KindMaxAge[KindCitizen] = 1 << 62 }, false},
		"unknown kind":      {func(p *Policy) { p.KindMaxAge["robot"] = 1 }, false},
		"negative passback": {func(p *Policy) { p.Passback = -1 }, false},
		"empty hash":        {func(p *Policy) { p.Models = append(p.Models, Hash{}) }, false},
		"many manifests":    {func(p *Policy) { p.Models = make([]Hash, MaxManifests+1) }, false},
	} {
		p := testPolicy()
		tc.change(&p)
		if err := p.Check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testOfficer(id string) Officer {
	return Officer{
		ID: id, Key: testSigner(id, RoleOfficer).Key.Public().(ed25519.PublicKey), Acts: []string{ActOverride}, Crossings: []string{"HNG1"}, NotAfter: 1,
	}
}

func TestOfficersForm(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Officers)
		ok     bool
	}{
		"good":        {func(*Officers) {}, true},
		"nobody":      {func(l *Officers) { l.Officers = nil }, true},
		"no version":  {func(l *Officers) { l.Ver = 0 }, false},
		"a name":      {func(l *Officers) { l.Officers[0].ID = "Nguyen Van A" }, false},
		"long id":     {func(l *Officers) { l.Officers[0].ID = strings.Repeat("a", 33) }, false},
		"id twice":    {func(l *Officers) { l.Officers[1].ID = l.Officers[0].ID }, false},
		"key twice":   {func(l *Officers) { l.Officers[1].Key = l.Officers[0].Key }, false},
		"short key":   {func(l *Officers) { l.Officers[0].Key = l.Officers[0].Key[1:] }, false},
		"without end": {func(l *Officers) { l.Officers[0].NotAfter = 0 }, false},
		"no act":      {func(l *Officers) { l.Officers[0].Acts = nil }, false},
		"unknown act": {func(l *Officers) { l.Officers[0].Acts = []string{"fly"} }, false},
		"nowhere":     {func(l *Officers) { l.Officers[0].Crossings = nil }, false},
		"long place":  {func(l *Officers) { l.Officers[0].Crossings = []string{"HNG1HNG1X"} }, false},
		"too many":    {func(l *Officers) { l.Officers = make([]Officer, MaxOfficers+1) }, false},
	} {
		l := Officers{Ver: 1, Issued: 1, Officers: []Officer{testOfficer("o-1"), testOfficer("o-2")}}
		tc.change(&l)
		if err := l.Check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrOfficers) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestActForm(t *testing.T) {
	for name, tc := range map[string]struct {
		act Act
		ok  bool
	}{
		"override":       {Act{Do: ActOverride, Nonce: testID, Tx: testID, Reason: "document_checked"}, true},
		"no reason":      {Act{Do: ActOverride, Nonce: testID, Tx: testID}, false},
		"other's reason": {Act{Do: ActOverride, Nonce: testID, Tx: testID, Reason: "crowd"}, false},
		"needless":       {Act{Do: ActSignOff, Nonce: testID, Reason: "crowd"}, false},
		"confirm":        {Act{Do: ActConfirm, Nonce: testID, Tx: testID}, true},
		"confirm nobody": {Act{Do: ActConfirm, Nonce: testID}, false},
		"mode":           {Act{Do: ActMode, Nonce: testID, Mode: "maintenance", Reason: "maintenance"}, true},
		"mode, no why":   {Act{Do: ActMode, Nonce: testID, Mode: "closed"}, false},
		"normal":         {Act{Do: ActMode, Nonce: testID, Mode: "normal"}, true},
		"normal for":     {Act{Do: ActMode, Nonce: testID, Mode: "normal", ForS: 1}, false},
		"supervised":     {Act{Do: ActMode, Nonce: testID, Mode: "supervised", ForS: 60, Reason: "security"}, true},
		"negative":       {Act{Do: ActMode, Nonce: testID, Mode: "supervised", ForS: -1, Reason: "security"}, false},
		"a year":         {Act{Do: ActMode, Nonce: testID, Mode: "closed", ForS: 366 * 86400, Reason: "security"}, false},
		"time elsewhere": {Act{Do: ActSignOff, Nonce: testID, ForS: 1}, false},
		"suspended":      {Act{Do: ActMode, Nonce: testID, Mode: "biometrics_suspended", ForS: 4 * 3600, Reason: "device_failure"}, true},
		"no end":         {Act{Do: ActMode, Nonce: testID, Mode: "biometrics_suspended", Reason: "device_failure"}, false},
		"suspended long": {Act{Do: ActMode, Nonce: testID, Mode: "biometrics_suspended", ForS: 4*3600 + 1, Reason: "device_failure"}, false},
		"emergency":      {Act{Do: ActMode, Nonce: testID, Mode: "emergency", Reason: "security"}, false},
		"direction":      {Act{Do: ActDirection, Nonce: testID, Direction: "entry", Reason: "crowd"}, true},
		"which way":      {Act{Do: ActDirection, Nonce: testID, Reason: "crowd"}, false},
		"no such way":    {Act{Do: ActDirection, Nonce: testID, Direction: "both", Reason: "crowd"}, false},
		"way elsewhere":  {Act{Do: ActSignOff, Nonce: testID, Direction: "exit"}, false},
		"sign off":       {Act{Do: ActSignOff, Nonce: testID}, true},
		"no transaction": {Act{Do: ActOverride, Nonce: testID}, false},
		"no nonce":       {Act{Do: ActSignOff}, false},
		"tx elsewhere":   {Act{Do: ActSignOff, Nonce: testID, Tx: testID}, false},
		"tx's form":      {Act{Do: ActOverride, Nonce: testID, Tx: "12"}, false},
		"no mode":        {Act{Do: ActMode, Nonce: testID}, false},
		"unknown mode":   {Act{Do: ActMode, Nonce: testID, Mode: "open"}, false},
		"unknown":        {Act{Do: "open", Nonce: testID}, false},
	} {
		if err := tc.act.Check(); (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrOfficers) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLargestOfficersListGoesIntoOneMessage: a list that passes its check and
// names one crossing each can be published.
func TestLargestOfficersListGoesIntoOneMessage(t *testing.T) {
	l := Officers{Ver: 1, Issued: 1}
	for i := range MaxOfficers {
		o := testOfficer("o-" + strings.Repeat("9", 10) + string(rune('a'+i%26)) + strings.Repeat("x", i/26))
		o.ID = o.ID[:min(len(o.ID), 32)]
		o.Acts = Acts()
		l.Officers = append(l.Officers, o)
	}
	b, err := SignJSON(testSigner("policy-1", RolePolicy), Header{Typ: TypeOfficers, Ver: 1, To: ToAll, Topic: TopicOfficers, Seq: 1}, l)
	if err != nil || len(b) > MaxMessage {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}

// FuzzPolicy lets no policy through that is laxer than the rules of the border.
func FuzzPolicy(f *testing.F) {
	seed, err := json.Marshal(testPolicy())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"ver":1,"issued":1,"fmr":"1e-4","pass_types":[{}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Decode[Policy](in)
		if err != nil || p.Check() != nil {
			return
		}
		for _, r := range p.Types {
			if r.Level < 1 || r.StampEvery < 0 || r.StampSoon > r.StampEvery {
				t.Fatalf("accepted %+v", r)
			}
		}
		if p.CacheMaxAge > 72*3600 || p.CacheMaxAge < 1 || p.Passback < 0 {
			t.Fatalf("accepted %+v", p)
		}
	})
}

// FuzzOfficers lets nobody through without a key, an end, a right and a place.
func FuzzOfficers(f *testing.F) {
	seed, err := json.Marshal(Officers{Ver: 1, Issued: 1, Officers: []Officer{testOfficer("o-1")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"ver":1,"issued":1,"officers":[{"id":"a"}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := Decode[Officers](in)
		if err != nil || l.Check() != nil {
			return
		}
		for _, o := range l.Officers {
			if len(o.Key) != ed25519.PublicKeySize || o.NotAfter <= 0 || len(o.Acts) == 0 || len(o.Crossings) == 0 || o.May("open", "HNG1") {
				t.Fatalf("accepted %+v", o)
			}
		}
	})
}
