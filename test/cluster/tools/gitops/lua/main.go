// Runs a Lua script of Argo CD in the interpreter that Argo CD has: standard input is a JSON list of objects, each of which becomes the
// global `obj`; standard output is the JSON list of what the script returns for each.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: lua SCRIPT <OBJECTS"))
	}
	script, err := os.ReadFile(os.Args[1])
	fail(err)
	var objects []any
	fail(json.NewDecoder(os.Stdin).Decode(&objects))
	results := make([]any, 0, len(objects))
	for _, object := range objects {
		result, err := run(string(script), object)
		fail(err)
		results = append(results, result)
	}
	fail(json.NewEncoder(os.Stdout).Encode(results))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The libraries are those that Argo CD opens for a script that has not been given all of them.
func run(script string, object any) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return toGo(state.Get(-1)), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}

func toGo(value lua.LValue) any {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value)
	case lua.LNumber:
		return float64(value)
	case lua.LString:
		return string(value)
	case *lua.LTable:
		if length := value.Len(); length > 0 {
			list := make([]any, 0, length)
			for index := 1; index <= length; index++ {
				list = append(list, toGo(value.RawGetInt(index)))
			}
			return list
		}
		object := map[string]any{}
		value.ForEach(func(key, item lua.LValue) { object[key.String()] = toGo(item) })
		return object
	default:
		return nil
	}
}
