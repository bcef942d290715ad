package main

import (
	"github.com/ethereum/go-ethereum/common"
	ethvm "github.com/ethereum/go-ethereum/core/vm"
	"github.com/spf13/cast"

	"cosmossdk.io/log/v2"
	"github.com/cosmos/cosmos-sdk/runtime"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"

	evmaddress "github.com/cosmos/evm/encoding/address"
	srvflags "github.com/cosmos/evm/server/flags"
	"github.com/cosmos/evm/x/feemarket"
	feekeeper "github.com/cosmos/evm/x/feemarket/keeper"
	feetypes "github.com/cosmos/evm/x/feemarket/types"
	"github.com/cosmos/evm/x/vm"
	evmkeeper "github.com/cosmos/evm/x/vm/keeper"
	evmtypes "github.com/cosmos/evm/x/vm/types"
)

// moduleAccounts lists the accounts that x/vm and x/bank expect to exist.
var moduleAccounts = map[string][]string{
	authtypes.FeeCollectorName: nil,
	evmtypes.ModuleName:        {authtypes.Minter, authtypes.Burner},
	feetypes.ModuleName:        nil,
}

// stores are the places in the database that the modules write to.
type stores struct {
	kv      map[string]*storetypes.KVStoreKey
	objects map[string]*storetypes.ObjectStoreKey
}

func newStores() stores {
	return stores{
		kv: storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey,
			consensustypes.StoreKey, feetypes.StoreKey, evmtypes.StoreKey),
		objects: storetypes.NewObjectStoreKeys(evmtypes.ObjectKey),
	}
}

func (s stores) all() []storetypes.StoreKey {
	var keys []storetypes.StoreKey
	for _, key := range s.kv {
		keys = append(keys, key)
	}
	for _, key := range s.objects {
		keys = append(keys, key)
	}
	return keys
}

// makeKeepers wires the four stateful modules. Nobody holds the key of their
// authority: parameters are fixed at genesis.
func (app *App) makeKeepers(logger log.Logger, chainID uint64, places stores, opts servertypes.AppOptions) {
	codec, keys := app.enc.Codec, places.kv
	authority := authtypes.NewModuleAddress("genesis-only")
	prefix := sdk.GetConfig().GetBech32AccountAddrPrefix()

	app.consensus = consensuskeeper.NewKeeper(codec, runtime.NewKVStoreService(keys[consensustypes.StoreKey]),
		authority.String(), runtime.EventService{})
	app.SetParamStore(app.consensus.ParamsStore)
	app.accounts = authkeeper.NewAccountKeeper(codec, runtime.NewKVStoreService(keys[authtypes.StoreKey]),
		authtypes.ProtoBaseAccount, moduleAccounts, evmaddress.NewEvmCodec(prefix), prefix, authority.String())
	app.bank = bankkeeper.NewBaseKeeper(codec, runtime.NewKVStoreService(keys[banktypes.StoreKey]),
		app.accounts, blockedModuleAccounts(), authority.String(), logger)
	app.fees = feekeeper.NewKeeper(codec, authority, keys[feetypes.StoreKey])
	app.evm = evmkeeper.NewKeeper(codec, keys[evmtypes.StoreKey], places.objects[evmtypes.ObjectKey], places.all(),
		authority, app.accounts, app.bank, genesisValidators{}, app.fees, &app.consensus, nil, chainID,
		cast.ToString(opts.Get(srvflags.EVMTracer)),
	).WithStaticPrecompiles(staticPrecompiles())
	app.feeModule = feemarket.NewAppModule(app.fees)
	app.evmModule = vm.NewAppModule(app.evm, app.accounts, app.bank, app.accounts.AddressCodec())
}

// staticPrecompiles are the Prague set plus P-256 verification at 0x0100, priced
// and behaving as in EIP-7951 (go-ethereum's Osaka implementation).
func staticPrecompiles() map[common.Address]ethvm.PrecompiledContract {
	set := make(map[common.Address]ethvm.PrecompiledContract, len(ethvm.PrecompiledContractsPrague)+1)
	for address, contract := range ethvm.PrecompiledContractsPrague {
		set[address] = contract
	}
	p256 := common.HexToAddress(evmtypes.P256PrecompileAddress)
	set[p256] = ethvm.PrecompiledContractsOsaka[p256]
	return set
}

func blockedModuleAccounts() map[string]bool {
	blocked := make(map[string]bool, len(moduleAccounts))
	for name := range moduleAccounts {
		blocked[authtypes.NewModuleAddress(name).String()] = true
	}
	return blocked
}
