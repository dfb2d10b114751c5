package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/barcode/symbol"
	"bordergate/biometrics"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal"
	"bordergate/hal/vision"
	"bordergate/sync/vault"
)

// selfChecks are the checks of this gate, in the order of its traveller's way.
func (a *App) selfChecks(context.Context) []namedCheck {
	list := []namedCheck{{"turnstile", a.testTurnstile}}
	for _, e := range a.eyes {
		list = append(list, namedCheck{e.name, func(ctx context.Context) finding { return e.test(ctx, !a.cfg.Simulated) }})
	}
	return append(list,
		namedCheck{"seal", func(context.Context) finding { return testSeal() }},
		namedCheck{"faces", func(context.Context) finding { return a.testFaces() }},
		namedCheck{"models", func(context.Context) finding { return a.testModels() }},
		namedCheck{"journal", a.testJournal},
		namedCheck{"disk", func(context.Context) finding { return a.testDisk() }},
		namedCheck{"clock", func(context.Context) finding { return a.testClock() }},
		namedCheck{"certificates", func(context.Context) finding { return a.testCertificates() }},
		namedCheck{"accounts", func(context.Context) finding { return a.testAccounts() }},
	)
}

// testTurnstile is a dry run with the lane aside: the levels are known, every
// unlock output is written off and read back, and on a simulated gate a grant
// goes all the way to the last moment before its pulse, where it is found to be
// too old.
func (a *App) testTurnstile(ctx context.Context) finding {
	s := a.barrier.dev.Snapshot()
	if !s.Online { // the lane is out of service for that already
		return ill("see the turnstile's line on the status page", "it does not answer")
	}
	for _, in := range []hal.Input{hal.InputEmergency, hal.InputObstruction, hal.InputPresence} {
		if s.Level(in) == hal.Unknown {
			return ill("check the wiring of the input and its channel in turnstile.inputs", "the level of %v is not known", in)
		}
	}
	f := well("levels known; somebody is there, so the outputs were not touched")
	a.aside(ctx, func() { f = a.dryRun(ctx) })
	return f
}

func (a *App) dryRun(ctx context.Context) finding {
	if err := a.barrier.dev.Halt(); err != nil {
		return ill("take the gate out of use: an unlock output may be on", "outputs are not seen to be off: %v", err).gravely()
	}
	if !a.cfg.Simulated {
		return well("levels known, outputs off and read back")
	}
	g := hal.Grant{Dir: hal.Entry, Valid: 1}
	if a.direction() == gate.DirExit {
		g.Dir = hal.Exit
	}
	_, _ = rand.Read(g.ID[:]) // never fails
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	switch err := a.barrier.dev.Grant(ctx, g); {
	case errors.Is(err, hal.ErrExpired):
		return well("levels known, outputs off and read back, a grant that is too old refused at the last moment")
	case err == nil, errors.Is(err, hal.ErrUnconfirmed):
		return ill("take the gate out of use: it opens on a grant that has expired", "an expired grant was carried out").gravely()
	default:
		return ill("see the turnstile's line on the status page", "a dry grant did not come to its last moment: %v", err)
	}
}

// test asks the camera for two pictures and judges them: there, of the size that
// was asked for, neither black nor blinded nor without any structure, and not
// the same one twice. Exact says that a picture repeated to the last byte is a
// frozen one, which is so of every sensor and of no drawing.
func (e *eye) test(ctx context.Context, exact bool) finding {
	const look = "look at the camera's cable, light and lens, and its line on the status page"
	first, ok := e.still(ctx)
	if !ok {
		return ill(look, "no picture within three seconds")
	}
	pic, err := jpeg.Decode(bytes.NewReader(first.JPEG))
	if err != nil {
		return ill(look, "the picture cannot be read: %v", err)
	}
	mean, spread, sharp := appearance(pic)
	switch b := pic.Bounds(); {
	case e.conf.Width > 0 && e.conf.Height > 0 && (first.Width != e.conf.Width || first.Height != e.conf.Height):
		return ill("set the camera's size to what it delivers", "pictures of %dx%d, asked for %dx%d", first.Width, first.Height, e.conf.Width, e.conf.Height)
	case b.Dx() == 0:
		return ill(look, "an empty picture")
	case mean < 8:
		return ill("uncover the lens, switch the light on", "the picture is black (mean %.0f of 255)", mean)
	case mean > 247:
		return ill("shade the camera, lower its exposure", "the picture is blinded (mean %.0f of 255)", mean)
	case spread < 2:
		return ill("uncover and clean the lens", "the picture has no structure (spread %.1f)", spread)
	}
	second, ok := e.still(ctx)
	if !ok || second.FrameAt <= first.FrameAt || exact && bytes.Equal(first.JPEG, second.JPEG) {
		return ill("end and start the camera: unplug it, or restart gated", "the picture is frozen")
	}
	return well("%dx%d, mean %.0f, spread %.0f, sharpness %.1f", first.Width, first.Height, mean, spread, sharp)
}

// stillWait is how long a camera may take for a picture.
const stillWait = 3 * time.Second

// still asks the worker for a picture. One that evidence asked for serves too.
func (e *eye) still(ctx context.Context) (vision.Image, bool) {
	got := make(chan vision.Image, 1)
	e.testing.Store(&got)
	defer e.testing.Store(nil)
	e.ask()
	limit := time.NewTimer(stillWait)
	defer limit.Stop()
	select {
	case m := <-got:
		return m, true
	case <-limit.C:
	case <-ctx.Done():
	}
	return vision.Image{}, false
}

// tested hands a picture to a test that waits for one.
func (e *eye) tested(m vision.Image) {
	if c := e.testing.Load(); c != nil {
		select {
		case *c <- m:
		default:
		}
	}
}

// appearance is the mean and the spread of a picture's brightness, and the mean
// difference of neighbours, on a grid of at most 64 by 64 points.
func appearance(pic image.Image) (mean, spread, sharp float64) {
	b := pic.Bounds()
	const side = 64
	at := func(x, y int) float64 {
		return float64(color.GrayModel.Convert(pic.At(x, y)).(color.Gray).Y)
	}
	n, sum, squares, steps := 0.0, 0.0, 0.0, 0.0
	for j := range min(side, b.Dy()) {
		for i := range min(side, b.Dx()) {
			x, y := b.Min.X+i*b.Dx()/min(side, b.Dx()), b.Min.Y+j*b.Dy()/min(side, b.Dy())
			v := at(x, y)
			n, sum, squares = n+1, sum+v, squares+v*v
			steps += math.Abs(v - at(min(x+1, b.Max.X-1), y))
		}
	}
	if n == 0 {
		return 0, 0, 0
	}
	mean = sum / n
	return mean, math.Sqrt(max(0, squares/n-mean*mean)), steps / n
}

// testSeal makes a signer, a pass, its seal and its symbol, reads them back and
// finds a single changed bit: the whole way of a pass through this program.
func testSeal() finding {
	const cure = "install gated anew: its program or the machine's memory is damaged"
	raw, signer, err := sampleSeal()
	if err != nil {
		return ill(cure, "no sample: %v", err).gravely()
	}
	pic, err := symbol.EncodeQR(raw, 4)
	if err != nil {
		return ill(cure, "no symbol: %v", err).gravely()
	}
	read := symbol.NewReader().Read(symbol.Luma{Pix: pic.Pix, Stride: pic.Stride, W: pic.Bounds().Dx(), H: pic.Bounds().Dy()}, time.Second)
	if len(read) != 1 || !bytes.Equal(read[0].Payload, raw) {
		return ill(cure, "the sample's symbol is not read").gravely()
	}
	trust := seal.NewTrust([]*x509.Certificate{signer}, seal.TrustOptions{Pin: true})
	p := passes{func() *seal.Trust { return trust }}
	if c := p.Read(read[0].Payload, time.Now()); c.Fault != 0 || c.Pass.Number != sampleNumber {
		return ill(cure, "the sample's seal is not verified: %v", c.Fault).gravely()
	}
	raw[len(raw)-1] ^= 1
	if c := p.Read(raw, time.Now()); c.Fault == 0 {
		return ill(cure, "a forged sample is believed").gravely()
	}
	return well("a sample pass read and verified, a forged one found")
}

const sampleNumber = "SELFTEST1"

// sampleSeal is the seal of nobody's pass under a key that is forgotten at once.
func sampleSeal() ([]byte, *x509.Certificate, error) {
	now := time.Now().UTC()
	a, err := seal.NewAuthority(seal.AuthorityOptions{Country: "UT", Signer: "ST", Serial: 1, NotBefore: now.Add(-2 * day), NotAfter: now.Add(2 * day)})
	if err != nil {
		return nil, nil, err
	}
	features, err := pass.Pass{
		Number: sampleNumber, Type: pass.TypeBorderPass, Name: "SELF TEST", NameMRZ: "TEST<<SELF", Birth: now.AddDate(-30, 0, 0).Truncate(day),
		Account: "SELFTEST", ValidFrom: now.Add(-day).Truncate(day), ValidTo: now.Add(day).Truncate(day), Crossings: []string{"TEST"}, Directions: pass.Exit,
	}.Features()
	if err != nil {
		return nil, nil, err
	}
	head, err := seal.NewHeader(a.Signer, "UTO", now.Add(-day), now.Add(-day))
	if err != nil {
		return nil, nil, err
	}
	raw, err := seal.Sign(pass.Header(head), features, a.SignerKey)
	return raw, a.Signer, err
}

// testFaces compares a drawn vector with itself and with another: the way from
// an embedding to a score under this gate's own model and thresholds.
func (a *App) testFaces() finding {
	r := a.matcher.model
	if r == nil {
		return ill("fetch the models with: make models, then start gated again", "no face can be compared")
	}
	one, other := drawn(r.Dim, 1), drawn(r.Dim, 2)
	ref, err := r.Enrol(one)
	if err != nil {
		return ill("correct models.manifest", "a vector cannot be enrolled: %v", err)
	}
	same, err1 := r.Score(one, ref)
	different, err2 := r.Score(other, ref)
	limit, _ := r.Limits.At(a.matcher.fmr, minFrames)
	if err := errors.Join(err1, err2); err != nil || same < limit || same < .97 || different >= limit {
		return ill("correct models.manifest, or install gated anew", "a vector scores %.3f with itself and %.3f with another, threshold %.3f (%v)", same, different, limit, err).gravely()
	}
	return well("a vector scores %.3f with itself and %.3f with another, threshold %.3f", same, different, limit)
}

// drawn is a fixed vector without any face behind it.
func drawn(dim int, seed uint32) biometrics.Embedding {
	out := make(biometrics.Embedding, dim)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = float32(int32(seed)) / (1 << 31)
	}
	return out
}

func (a *App) testModels() finding {
	m, err := configs.LoadModels(a.cfg.Models.Manifest)
	if err == nil {
		_, err = modelFiles(m, a.cfg.Models.Dir)
	}
	if err != nil {
		return ill("fetch the models with: make models, then start gated again", "%v", err)
	}
	return well("every network has the manifest's hash")
}

func (a *App) testJournal(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := errors.Join(a.journal.Err(), a.journal.Ping(ctx)); err != nil { // the lane is out of service for that already
		return ill("check the disk, then start gated again", "%v", err)
	}
	return well("it writes")
}

// minDisk is the room below which the disk is nearly full, bytes.
const minDisk = 200 << 20

func (a *App) testDisk() finding {
	var s unix.Statfs_t
	if err := unix.Statfs(a.cfg.Paths.State, &s); err != nil {
		return ill("check the disk below paths.state", "%v", err)
	}
	free := s.Bavail * uint64(s.Bsize)
	if free < minDisk || s.Files > 0 && s.Ffree*50 < s.Files {
		return ill("free disk space below paths.state", "%d MiB and %d files left", free>>20, s.Ffree)
	}
	return well("%d MiB free", free>>20)
}

func (a *App) testClock() finding {
	now, trust, floor := a.clock.Wall()
	switch {
	case trust == gate.ClockBad:
		return ill("set the clock, check its battery and the time server", "it is %v behind what headquarters signed", floor.Sub(now).Round(time.Second))
	case trust == gate.ClockPlausible:
		return ill("check the time server", "it was not synchronised since the boot")
	}
	return well("%s", clockWord(trust))
}

// certificateSoon is how long before its end a certificate is a finding.
const certificateSoon = 14 * day

func (a *App) testCertificates() finding {
	now, _, _ := a.clock.Wall()
	if c, err := vault.Certificate(a.cfg.Paths.Identity); err == nil && now.Add(certificateSoon).After(c.NotAfter) {
		return ill("have headquarters sign the gate's request anew: gatectl identity init", "the gate's certificate ends %s", c.NotAfter.UTC().Format(time.DateOnly))
	}
	trust := a.believer.believed()
	if trust == nil || trust.Signers() == 0 {
		return ill("see trust on the status page", "no signer of passes is known")
	}
	good, soon := 0, 0
	for _, e := range trust.Entries(now) {
		if e.Kind == seal.KindSigner && e.Err == nil {
			good++
		}
	}
	for _, e := range trust.Entries(now.Add(certificateSoon)) {
		if e.Kind == seal.KindSigner && e.Err == nil {
			soon++
		}
	}
	if soon < good {
		return ill("have headquarters publish the next signers: hqd trust publish", "%d of %d signers end within %v days", good-soon, good, int(certificateSoon/day))
	}
	return well("%d signers", good)
}

func (a *App) testAccounts() finding {
	now, _, _ := a.clock.Wall()
	issued, known := a.replica.Fresh()
	limit := a.settings().Policy.CacheMaxAge
	switch age := now.Sub(issued); {
	case !known:
		return ill("see that headquarters is reached", "they were never complete here")
	case age > limit/2:
		return ill("see that headquarters is reached", "they are %v old, travellers are referred from %v on", age.Round(time.Minute), limit)
	default:
		return well("%v old", age.Round(time.Second))
	}
}
