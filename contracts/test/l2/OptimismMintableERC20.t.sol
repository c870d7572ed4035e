// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ILegacyMintableERC20, IOptimismMintableERC20} from "../../src/l2/IOptimismMintableERC20.sol";
import {OptimismMintableERC20} from "../../src/l2/OptimismMintableERC20.sol";
import {OptimismMintableERC20Factory} from "../../src/l2/OptimismMintableERC20Factory.sol";
import {L2Base} from "./L2Base.sol";

contract OptimismMintableERC20Test is L2Base {
    address internal constant REMOTE = address(0x70131);

    function test_interfaceIdsAreTheSpecifications() public {
        vm.assertTrue(type(IOptimismMintableERC20).interfaceId == 0xec4fc8e3, "present");
        vm.assertTrue(type(ILegacyMintableERC20).interfaceId == 0x1d1d8b63, "former");
        OptimismMintableERC20 token = newToken(REMOTE);
        vm.assertTrue(token.supportsInterface(0xec4fc8e3), "present");
        vm.assertTrue(token.supportsInterface(0x1d1d8b63), "former");
        vm.assertTrue(token.supportsInterface(0x01ffc9a7), "ERC-165");
        vm.assertTrue(!token.supportsInterface(0xffffffff), "no other");
    }

    function test_tokenSaysWhatItStandsFor() public {
        vm.expectEmit(address(factory));
        emit OptimismMintableERC20Factory.StandardL2TokenCreated(REMOTE, expected(6));
        vm.expectEmit(address(factory));
        emit OptimismMintableERC20Factory.OptimismMintableERC20Created(expected(6), REMOTE, ALICE);
        vm.prank(ALICE);
        OptimismMintableERC20 token =
            OptimismMintableERC20(factory.createOptimismMintableERC20WithDecimals(REMOTE, "Token", "TKN", 6));
        vm.assertEq(address(token), expected(6), "address");
        vm.assertEq(factory.deployments(address(token)), REMOTE, "deployments");
        vm.assertEq(token.remoteToken(), REMOTE, "remote");
        vm.assertEq(token.l1Token(), REMOTE, "remote");
        vm.assertEq(token.REMOTE_TOKEN(), REMOTE, "remote");
        vm.assertEq(token.bridge(), address(bridge), "bridge");
        vm.assertEq(token.l2Bridge(), address(bridge), "bridge");
        vm.assertEq(token.BRIDGE(), factory.BRIDGE(), "bridge");
        vm.assertEq(token.decimals(), 6, "decimals");
        vm.assertEq(bytes(token.name()), "Token", "name");
        vm.assertEq(bytes(token.symbol()), "TKN", "symbol");
        vm.assertEq(bytes(token.version()), bytes(factory.version()), "version");
    }

    /// @dev CREATE2 of the factory, so that addresses are known beforehand.
    function expected(uint8 decimals) internal view returns (address) {
        bytes32 salt = keccak256(abi.encode(REMOTE, "Token", "TKN", decimals));
        bytes32 code = keccak256(
            abi.encodePacked(
                type(OptimismMintableERC20).creationCode, abi.encode(address(bridge), REMOTE, "Token", "TKN", decimals)
            )
        );
        return address(uint160(uint256(keccak256(abi.encodePacked(hex"ff", address(factory), salt, code)))));
    }

    function test_theFormerNameMakesTheSameToken() public {
        vm.assertEq(factory.createStandardL2Token(REMOTE, "Token", "TKN"), expected(18), "address");
        vm.expectRevert();
        factory.createOptimismMintableERC20(REMOTE, "Token", "TKN");
    }

    function test_aTokenStandsForSomething() public {
        vm.expectRevert(abi.encodeWithSelector(OptimismMintableERC20Factory.NoRemoteToken.selector));
        factory.createOptimismMintableERC20(address(0), "Token", "TKN");
    }

    function test_onlyTheBridgeMintsAndBurns() public {
        OptimismMintableERC20 token = newToken(REMOTE);
        bytes memory refusal = abi.encodeWithSelector(OptimismMintableERC20.NotTheBridge.selector, ALICE);
        vm.expectRevert(refusal);
        vm.prank(ALICE);
        token.mint(ALICE, 1);
        vm.expectRevert(refusal);
        vm.prank(ALICE);
        token.burn(ALICE, 0);
        vm.expectEmit(address(token));
        emit OptimismMintableERC20.Mint(ALICE, 5);
        vm.prank(address(bridge));
        token.mint(ALICE, 5);
        vm.prank(address(bridge));
        token.burn(ALICE, 2);
        vm.assertEq(token.balanceOf(ALICE), 3, "balance");
    }
}
