package app

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/gate"
	"bordergate/sync/wire"
)

// hqPolicy is a policy of headquarters that is no stricter than any file.
func hqPolicy() wire.Policy {
	return wire.Policy{
		Ver: 5, Issued: 1, FMR: "1e-3", Liveness: wire.LivenessObserve, CacheMaxAge: 72 * 3600, Passback: 300,
		KindMaxAge: map[string]int64{wire.KindForeigner: 48 * 3600},
		Types: []wire.TypeRule{
			{Type: pass.TypeBorderPass, Level: 2, StampEvery: 20 * 86400, StampSoon: 86400}, {Type: pass.TypePortPermit, Level: 1},
		},
	}
}

// laxFile is a gate's file that is stricter in nothing.
func laxFile() local {
	return local{
		policy: gate.Policy{
			Crossing: "HNG1", Direction: gate.DirExit, PassTypes: passRules(), Passback: passback, CacheMaxAge: 72 * time.Hour,
			KindMaxAge: map[gate.AccountKind]time.Duration{}, ClockMargin: clockMargin, ObserveLiveness: true,
		},
		fmr: 1e-3, manifest: wire.Hash{1}, has: func(fmr float64) bool { return fmr == 1e-3 || fmr == 1e-4 || fmr == 1e-5 },
	}
}

// TestFileOnlyTightens sets each key of a gate's file, and each value of the
// policy, once to stricter and once to laxer than the other side: the stricter
// one rules.
func TestFileOnlyTightens(t *testing.T) {
	both := func(r ruling) any { return len(r.policy.PassTypes) }
	for name, tc := range map[string]struct {
		file  func(*local)
		hq    func(*wire.Policy)
		value func(ruling) any
		want  any
	}{
		"models.fmr stricter":     {func(l *local) { l.fmr = 1e-5 }, nil, func(r ruling) any { return r.fmr }, 1e-5},
		"models.fmr laxer":        {nil, func(p *wire.Policy) { p.FMR = "1e-4" }, func(r ruling) any { return r.fmr }, 1e-4},
		"models.liveness strict":  {func(l *local) { l.policy.ObserveLiveness = false }, nil, func(r ruling) any { return r.policy.ObserveLiveness }, false},
		"models.liveness laxer":   {nil, func(p *wire.Policy) { p.Liveness = wire.LivenessEnforce }, func(r ruling) any { return r.policy.ObserveLiveness }, false},
		"cache_max_age stricter":  {func(l *local) { l.policy.CacheMaxAge = time.Hour }, nil, func(r ruling) any { return r.policy.CacheMaxAge }, time.Hour},
		"cache_max_age laxer":     {nil, func(p *wire.Policy) { p.CacheMaxAge = 60 }, func(r ruling) any { return r.policy.CacheMaxAge }, time.Minute},
		"kind_max_age stricter":   {func(l *local) { l.policy.KindMaxAge[gate.KindForeigner] = time.Hour }, nil, func(r ruling) any { return r.policy.KindMaxAge[gate.KindForeigner] }, time.Hour},
		"kind_max_age laxer":      {func(l *local) { l.policy.KindMaxAge[gate.KindForeigner] = 72 * time.Hour }, nil, func(r ruling) any { return r.policy.KindMaxAge[gate.KindForeigner] }, 48 * time.Hour},
		"kind_max_age, file only": {func(l *local) { l.policy.KindMaxAge[gate.KindCitizen] = time.Hour }, nil, func(r ruling) any { return r.policy.KindMaxAge[gate.KindCitizen] }, time.Hour},
		"pass_types stricter":     {func(l *local) { l.types = []string{pass.TypeBorderPass} }, nil, both, 1},
		"pass_types laxer": {
			func(l *local) { l.types = []string{pass.TypeBorderPass, pass.TypePortPermit} }, func(p *wire.Policy) { p.Types = p.Types[1:] }, both, 1,
		},
		"pass_types apart": {func(l *local) { l.types = []string{pass.TypeBorderPass} }, func(p *wire.Policy) { p.Types = p.Types[1:] }, both, 0},
		"rules of a type": {nil, nil, func(r ruling) any { return r.policy.PassTypes[pass.TypeBorderPass] }, gate.PassRule{
			Level: 2, StampEvery: 20 * day, StampSoon: day,
		}},
		"level of a type":     {nil, nil, func(r ruling) any { return r.policy.PassTypes[pass.TypePortPermit].Level }, 1},
		"passback":            {nil, nil, func(r ruling) any { return r.policy.Passback }, 5 * time.Minute},
		"version":             {nil, nil, func(r ruling) any { return r.policy.Version }, uint64(5)},
		"place":               {nil, nil, func(r ruling) any { return r.policy.Crossing }, "HNG1"},
		"any manifest":        {nil, nil, func(r ruling) any { return r.policy.NoModels }, false},
		"this manifest":       {nil, func(p *wire.Policy) { p.Models = []wire.Hash{{9}, {1}} }, func(r ruling) any { return r.policy.NoModels }, false},
		"another manifest":    {nil, func(p *wire.Policy) { p.Models = []wire.Hash{{9}} }, func(r ruling) any { return r.policy.NoModels }, true},
		"rate without limits": {nil, func(p *wire.Policy) { p.FMR = "1e-6" }, func(r ruling) any { return r.policy.NoModels }, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, p := laxFile(), hqPolicy()
			if tc.file != nil {
				tc.file(&l)
			}
			if tc.hq != nil {
				tc.hq(&p)
			}
			if got := tc.value(l.tighten(p)); !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("%v, want %v", got, tc.want)
			}
		})
	}
}

func TestFileTightensAlsoAlone(t *testing.T) {
	l := laxFile()
	l.types = []string{pass.TypePortPermit}
	if got := l.alone(); len(got.policy.PassTypes) != 1 || got.policy.Version != 0 {
		t.Fatalf("%+v", got.policy)
	}
}

func TestLostPolicyAdmitsNobodyUntilItIsBack(t *testing.T) {
	var r rules
	looks := 0
	r.changed = func() { looks++ }
	u := r.user()
	u.lost() // before the gate's parts are known
	r.begin(laxFile())
	if !r.Policy().Lost || looks != 0 {
		t.Fatalf("%+v, %d", r.Policy(), looks)
	}
	b, err := json.Marshal(hqPolicy())
	if err != nil {
		t.Fatal(err)
	}
	ver, use, err := u.read(b)
	if err != nil || ver != 5 {
		t.Fatalf("version %d, %v", ver, err)
	}
	use()
	if r.Policy().Lost || r.Policy().Version != 5 || r.FMR() != 1e-3 || looks != 1 {
		t.Fatalf("%+v, %d", r.Policy(), looks)
	}
}
