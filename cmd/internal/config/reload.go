package config

import "reflect"

// Changes names the keys in which two configurations differ: those that a running agent
// can apply, and those that need a restart. Files that a key names are read again whether
// or not the key changed.
func Changes(old, new Config) (applied, needRestart []string) {
	before, after := reflect.ValueOf(old), reflect.ValueOf(new)
	for i := range before.NumField() {
		if reflect.DeepEqual(before.Field(i).Interface(), after.Field(i).Interface()) {
			continue
		}
		name := before.Type().Field(i).Tag.Get("koanf")
		if k, _ := lookup(name); k.live {
			applied = append(applied, name)
		} else {
			needRestart = append(needRestart, name)
		}
	}
	return applied, needRestart
}
