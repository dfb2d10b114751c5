package vault

import (
	"crypto/hpke"
	"fmt"

	"bordergate/sync/wire"
)

// WrapFor seals the key of class and day to pub (the wire's HPKE suite), so
// that its owner can open what is sealed for that day. It makes no key:
// ErrNoKey if the day has none.
func (v *Vault) WrapFor(class Class, day uint32, pub hpke.PublicKey) ([]byte, error) {
	v.life.RLock()
	defer v.life.RUnlock()
	k, err := v.key(class, day, false)
	if err != nil {
		return nil, err
	}
	return wire.SealTo(pub, wrapPurpose(class, day), k.raw[:])
}

// OpenWrapped is the other end of WrapFor. A key that was wrapped for another
// class, day or receiver gives wire.ErrSealed.
func OpenWrapped(priv hpke.PrivateKey, class Class, day uint32, sealed []byte) (*DayKey, error) {
	raw, err := wire.OpenFrom(priv, wrapPurpose(class, day), sealed)
	if err != nil {
		return nil, err
	}
	return newDayKey(class, day, raw)
}

func wrapPurpose(class Class, day uint32) string {
	return fmt.Sprintf("day key of class %d, day %d", class, day)
}
