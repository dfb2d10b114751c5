package configs

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// checkGate holds every rule of a gate's file.
func checkGate(c *Gate, d *document) {
	d.version(c.Version)
	checkPlace(c.Gate, d)
	d.filled("paths.state", c.Paths.State)
	d.filled("paths.identity", c.Paths.Identity)
	d.socket("paths.control", c.Paths.Control)
	d.loopback("status.listen", c.Status.Listen)
	checkScreen(c.Screen, c.Status.Listen, d)
	checkTechnician(c, d)
	d.filled("models.dir", c.Models.Dir)
	d.filled("models.manifest", c.Models.Manifest)
	oneOfNumbers(d, "models.fmr", c.Models.FMR, 1e-3, 1e-4, 1e-5, 1e-6)
	d.oneOf("models.liveness", c.Models.Liveness, "enforce", "observe")
	if c.Models.Liveness == "observe" && !c.Simulated {
		d.fault("models.liveness", "lets a photograph pass", "observe is for simulated lanes; write enforce, or remove the key")
	}
	d.filled("vision.program", c.Vision.Program)
	checkCamera("cameras.document", c.Cameras.Document, d)
	checkCamera("cameras.face", c.Cameras.Face, d)
	if s := c.Cameras.Face.Source; s != "" && s == c.Cameras.Document.Source {
		d.fault("cameras.face.source", "is the document camera too", "each camera has a device of its own")
	}
	if c.Cameras.Document.Calibration != "" {
		d.fault("cameras.document.calibration", "is of no use", "only the face camera is calibrated: remove the key")
	}
	checkTurnstile(c.Gate.Direction, c.Turnstile, d)
	checkScanner(c.Scanner, c.Turnstile.Port, d)
	checkTrust(c.Trust, d)
	d.link("hq.broker", c.HQ.Broker, true, "ssl", "tcp")
	checkPlain("hq.broker", c.HQ.Broker, d)
	d.filled("hq.bundle", c.HQ.Bundle)
	checkFingerprint("hq.fingerprint", c.HQ.Fingerprint, d)
	between(d, "policy.cache_max_age", c.Policy.CacheMaxAge, time.Second, 72*time.Hour)
	checkKindMaxAge("policy.kind_max_age", c.Policy.KindMaxAge, d)
	for i, t := range c.Policy.PassTypes {
		d.oneOf(fmt.Sprintf("policy.pass_types[%d]", i), t, "border_pass", "port_permit")
	}
	between(d, "policy.capture_timeout", c.Policy.CaptureTimeout, time.Second, time.Minute)
	between(d, "policy.face_timeout", c.Policy.FaceTimeout, time.Second, 30*time.Second)
	between(d, "policy.referral_hold", c.Policy.ReferralHold, time.Second, time.Minute)
	d.oneOf("policy.movements", c.Policy.Movements, "unchecked", "complete")
	d.oneOf("evidence.images", c.Evidence.Images, "off", "exceptions", "all")
	between(d, "evidence.retention", c.Evidence.Retention, 24*time.Hour, 8760*time.Hour)
	between(d, "journal.max_mib", c.Journal.MaxMiB, 256, 65536)
	between(d, "journal.crossings", c.Journal.Crossings, 168*time.Hour, 43800*time.Hour)
	between(d, "journal.alarms", c.Journal.Alarms, 168*time.Hour, 43800*time.Hour)
	between(d, "journal.telemetry", c.Journal.Telemetry, 24*time.Hour, 43800*time.Hour)
	d.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
}

// checkPlain demands TLS to another machine.
func checkPlain(path, broker string, d *document) {
	u, err := url.Parse(broker)
	if err != nil || u.Scheme != "tcp" || u.User != nil {
		return
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && u.Hostname() != "" && (ip == nil || !ip.IsLoopback()) {
		d.fault(path, "leads to another machine without TLS", "ssl://HOST:8883")
	}
}

func checkPlace(p Place, d *document) {
	d.word("gate.id", p.ID, 32, func(r rune) bool {
		return r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z'
	}, "1 to 32 of a-z, 0-9 and -, such as lane-1")
	d.word("gate.crossing", p.Crossing, 8, func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z'
	}, "1 to 8 of A-Z and 0-9, as the passes name it, such as HNG1")
	d.word("gate.lane", p.Lane, 8, func(r rune) bool {
		return r == '-' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
	}, "1 to 8 letters and digits, such as \"1\"")
	d.oneOf("gate.direction", p.Direction, "entry", "exit")
}

func checkTrust(t Trust, d *document) {
	d.filled("trust.dir", t.Dir)
	d.oneOf("trust.lists", t.Lists, "off", "when-present", "required")
	if t.ListAge != 0 {
		between(d, "trust.list_age", t.ListAge, time.Hour, 366*24*time.Hour)
	}
	if t.TemplateKeys != "" {
		d.filled("trust.template_keys", t.TemplateKeys)
	}
}

func checkCamera(path string, c Camera, d *document) {
	source := path + ".source"
	switch {
	case strings.Contains(c.Source, "://"):
		d.link(source, c.Source, false, "http", "https", "rtsp")
	case strings.HasPrefix(c.Source, "/dev/video"):
		d.fault(source, "names a device by a number that changes at every start", "use its link below /dev/v4l/by-path")
	default:
		d.filled(source, c.Source)
	}
	between(d, path+".width", c.Width, 320, 3840)
	between(d, path+".height", c.Height, 240, 2160)
	between(d, path+".fps", c.FPS, 1, 60)
	between(d, path+".threads", c.Threads, 1, 8)
}

// checkFingerprint demands 64 hex digits that somebody has filled in.
func checkFingerprint(path, value string, d *document) {
	if !d.filled(path, value) {
		return
	}
	digits := Fingerprint(value)
	switch {
	case len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "":
		d.fault(path, "is not a fingerprint", "64 hex digits, as \"hqd\" shows them; spaces and colons between them are allowed")
	case strings.Trim(digits, "0") == "":
		d.fault(path, "is still the placeholder", "compare with headquarters and write its root key's fingerprint here")
	}
}

// Fingerprint returns a fingerprint without the spaces and colons that help
// people to compare it, in lower case.
func Fingerprint(shown string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", ":", "", "\t", "").Replace(shown))
}
