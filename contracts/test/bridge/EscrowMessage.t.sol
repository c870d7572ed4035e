// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {L1CrossDomainMessenger} from "../../src/bridge/L1CrossDomainMessenger.sol";
import {NativeTokenBridge} from "../../src/bridge/NativeTokenBridge.sol";
import {Portal} from "../../src/bridge/Portal.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {PlainToken} from "../tokens/Tokens.sol";
import {BridgeWorld} from "./L1StandardBridge.t.sol";

contract EscrowMessageTest is BridgeWorld {
    /// A message from L2 must not have the escrow make a deposit in the messenger's name:
    /// the messenger on L2 would take it for genuine.
    function test_noMessageSpeaksToTheEscrow() public {
        deployWorld(new PlainToken());
        bytes memory toEscrow =
            abi.encodeCall(NativeTokenBridge.depositERC20Transaction, (L2_MESSENGER, 0, 0, 2_000_000, false, "forged"));
        bytes memory call = abi.encodeCall(
            L1CrossDomainMessenger.relayMessage, (V1, RELAY, address(nativeBridge), 0, 500_000, toEscrow)
        );
        Types.WithdrawalTransaction memory w =
            Types.WithdrawalTransaction(V1, L2_MESSENGER, address(messenger), 0, 1_500_000, call);
        settle(proveAs(RELAY, w, 11));
        vm.expectRevert(abi.encodeWithSelector(Portal.WithdrawalCallFailed.selector, Hashing.hashWithdrawal(w)));
        vm.prank(RELAY);
        portal.finalizeWithdrawalTransaction(w);
    }
}
