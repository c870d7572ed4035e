// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {DisputeGameFactory} from "../../src/dispute/DisputeGameFactory.sol";
import {HybridGame} from "../../src/dispute/HybridGame.sol";
import {World} from "../World.sol";

contract DisputeGameFactoryTest is World {
    bytes32 internal constant ROOT = keccak256("root");

    event DisputeGameCreated(address indexed disputeProxy, uint32 indexed gameType, bytes32 indexed rootClaim);

    function setUp() public {
        deployWorld(IERC20(address(0)));
    }

    function test_aGameIsListedAndFound() public {
        vm.assertEq(factory.gameCount(), 0, "none at first");
        (HybridGame game, uint256 index) = claim(ROOT, 5);
        vm.assertEq(index, 0, "index");
        (uint32 gameType, uint64 timestamp, address proxy) = factory.gameAtIndex(0);
        vm.assertTrue(gameType == GAME_TYPE && timestamp == START && proxy == address(game), "at index");
        (proxy, timestamp) = factory.games(GAME_TYPE, ROOT, abi.encode(5));
        vm.assertTrue(timestamp == START && proxy == address(game), "by contents");
        (proxy,) = factory.games(GAME_TYPE, ROOT, abi.encode(6));
        vm.assertEq(proxy, address(0), "by other contents");
        vm.assertEq(factory.version(), "1.1.0", "version");
    }

    function test_creationIsAnnounced() public {
        vm.deal(PROPOSER, BOND);
        uint256 before = vm.snapshotState();
        vm.prank(PROPOSER);
        address game = factory.create{value: BOND}(GAME_TYPE, ROOT, abi.encode(1));
        vm.revertToState(before);
        vm.expectEmit(address(factory));
        emit DisputeGameCreated(game, GAME_TYPE, ROOT);
        vm.prank(PROPOSER);
        factory.create{value: BOND}(GAME_TYPE, ROOT, abi.encode(1));
    }

    function test_theSameClaimTwiceIsRefused() public {
        claim(ROOT, 5);
        vm.deal(USER, BOND);
        vm.expectRevert(
            abi.encodeWithSelector(
                DisputeGameFactory.GameAlreadyExists.selector, factory.getGameUUID(GAME_TYPE, ROOT, abi.encode(5))
            )
        );
        vm.prank(USER);
        factory.create{value: BOND}(GAME_TYPE, ROOT, abi.encode(5));
    }

    function test_aWrongBondOrTypeIsRefused() public {
        vm.deal(USER, 1 ether);
        vm.startPrank(USER);
        vm.expectRevert(DisputeGameFactory.IncorrectBondAmount.selector);
        factory.create{value: BOND + 1}(GAME_TYPE, ROOT, abi.encode(5));
        vm.expectRevert(abi.encodeWithSelector(DisputeGameFactory.NoImplementation.selector, 1));
        factory.create{value: BOND}(1, ROOT, abi.encode(5));
        vm.stopPrank();
    }

    function test_onlyTheOwnerSetsTypes() public {
        vm.expectRevert();
        vm.prank(USER);
        factory.setImplementation(1, address(gameImpl));
        vm.expectRevert();
        vm.prank(USER);
        factory.setInitBond(1, 1);
        vm.startPrank(OWNER);
        factory.setImplementation(1, address(gameImpl));
        factory.setInitBond(1, 7);
        vm.stopPrank();
        vm.assertEq(factory.gameImpls(1), address(gameImpl), "implementation");
        vm.assertEq(factory.initBonds(1), 7, "bond");
    }

    function test_theLatestGamesOfATypeAreFound() public {
        HybridGame other = new HybridGame(HybridGame.Params(1, WINDOW, registry, vault, stakes, CHAIN_START));
        vm.prank(OWNER);
        factory.setImplementation(1, address(other));
        for (uint256 i = 1; i <= 6; i++) {
            vm.warp(START + i);
            if (i % 3 == 0) factory.create(1, bytes32(i), abi.encode(i));
            else claim(bytes32(i), i);
        }
        // Places 0 to 5 hold games of blocks 1 to 6; 2 and 5 are of the other type.
        DisputeGameFactory.GameSearchResult[] memory found = factory.findLatestGames(GAME_TYPE, 5, 3);
        vm.assertEq(found.length, 3, "three of four");
        vm.assertTrue(found[0].index == 4 && found[1].index == 3 && found[2].index == 1, "places");
        vm.assertEq(found[0].rootClaim, bytes32(uint256(5)), "claim");
        vm.assertEq(found[0].extraData, abi.encode(5), "extra data");
        vm.assertEq(found[0].timestamp, START + 5, "time");
        (,, address game) = factory.gameAtIndex(4);
        vm.assertEq(address(uint160(uint256(found[0].metadata))), game, "address in the metadata");
        vm.assertEq(uint256(found[0].metadata) >> 224, GAME_TYPE, "type in the metadata");

        vm.assertEq(factory.findLatestGames(GAME_TYPE, 2, 100).length, 2, "from the middle");
        vm.assertEq(factory.findLatestGames(1, 5, 100).length, 2, "other type");
        vm.assertEq(factory.findLatestGames(2, 5, 100).length, 0, "no such type");
        vm.assertEq(factory.findLatestGames(GAME_TYPE, 6, 100).length, 0, "beyond the end");
        vm.assertEq(factory.findLatestGames(GAME_TYPE, 5, 0).length, 0, "none asked");
    }
}
