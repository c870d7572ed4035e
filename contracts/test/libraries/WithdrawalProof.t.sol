// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {Hashing} from "../../src/libraries/Hashing.sol";
import {Types} from "../../src/libraries/Types.sol";
import {WithdrawalProof} from "../../src/libraries/WithdrawalProof.sol";
import {World} from "../World.sol";

/// @notice Proofs out of another implementation's trie; `make vectors` writes them.
contract WithdrawalProofTest is World {
    bytes[] internal vectors;

    function setUp() public {
        deployWorld(IERC20(address(0)));
        string memory json = vm.readFile("test/vectors/withdrawals.json");
        vectors = abi.decode(vm.parseJson(json, ".vectors"), (bytes[]));
    }

    function read(uint256 i)
        internal
        view
        returns (
            Types.WithdrawalTransaction memory w,
            Types.OutputRootProof memory output,
            bytes[] memory proof,
            bytes32 hash
        )
    {
        (w, output, proof, hash) = abi.decode(
            vectors[i], (Types.WithdrawalTransaction, Types.OutputRootProof, bytes[], bytes32)
        );
    }

    function verify(bytes32 hash, bytes32 root, bytes[] calldata proof) external pure returns (bool) {
        return WithdrawalProof.verify(hash, root, proof);
    }

    /// @dev As `verify`; a proof that cannot be read proves nothing.
    function proves(bytes32 hash, bytes32 root, bytes[] memory proof) internal view returns (bool) {
        try this.verify(hash, root, proof) returns (bool ok) {
            return ok;
        } catch {
            return false;
        }
    }

    function test_everyVectorIsProven() public view {
        vm.assertEq(vectors.length, 12, "vectors");
        uint256 deepest;
        for (uint256 i = 0; i < vectors.length; i++) {
            (
                Types.WithdrawalTransaction memory w,
                Types.OutputRootProof memory output,
                bytes[] memory proof,
                bytes32 hash
            ) = read(i);
            vm.assertEq(Hashing.hashWithdrawal(w), hash, "hash");
            vm.assertTrue(this.verify(hash, output.messagePasserStorageRoot, proof), "proof");
            if (proof.length > deepest) deepest = proof.length;
        }
        vm.assertTrue(deepest >= 4, "several levels");
    }

    function test_thePortalTakesTheLastVector() public {
        (
            Types.WithdrawalTransaction memory w,
            Types.OutputRootProof memory output,
            bytes[] memory proof,
            bytes32 hash
        ) = read(vectors.length - 1);
        (HybridGame game, uint256 index) = claim(Hashing.hashOutputRootProof(output), 1);
        vm.warp(START + 1);
        vm.prank(USER);
        portal.proveWithdrawalTransaction(w, index, output, proof);
        settle(game);
        portal.checkWithdrawal(hash, USER);
        vm.deal(address(portal), w.value);
        vm.prank(USER);
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(w.target.balance, w.value, "paid");
    }

    function test_aProofIsOfItsWithdrawalAlone() public view {
        for (uint256 i = 1; i < vectors.length; i++) {
            (,,, bytes32 other) = read(i - 1);
            (, Types.OutputRootProof memory output, bytes[] memory proof,) = read(i);
            vm.assertTrue(!proves(other, output.messagePasserStorageRoot, proof), "another's proof");
            bytes[] memory shorter = new bytes[](proof.length - 1);
            for (uint256 j = 0; j < shorter.length; j++) {
                shorter[j] = proof[j];
            }
            (,,, bytes32 hash) = read(i);
            vm.assertTrue(!proves(hash, output.messagePasserStorageRoot, shorter), "a node is missing");
        }
    }

    function testFuzz_aChangedProofProvesNothing(uint256 which, uint256 node, uint256 place, uint8 change) public view {
        vm.assume(change != 0);
        (, Types.OutputRootProof memory output, bytes[] memory proof, bytes32 hash) = read(which % vectors.length);
        bytes memory text = proof[node % proof.length];
        place = place % text.length;
        text[place] = bytes1(uint8(text[place]) ^ change);
        vm.assertTrue(!proves(hash, output.messagePasserStorageRoot, proof), "proven");
    }
}
