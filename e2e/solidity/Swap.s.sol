// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {Coin} from "./Coin.sol";

interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseBytes(string calldata hexDigits) external pure returns (bytes memory);
}

interface Factory {
    function createPair(address a, address b) external returns (address);
    function getPair(address a, address b) external view returns (address);
}

interface Pair {
    function token0() external view returns (address);
    function mint(address to) external returns (uint256 liquidity);
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external;
}

/// @notice Two OpenZeppelin tokens, Uniswap v2's factory as its authors compiled it, a
/// pair, liquidity and a swap, in one broadcast.
contract Swap {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 private constant LIQUIDITY = 10_000 ether;
    uint256 private constant PAID = 100 ether;

    /// @return pair The pair after the swap.
    function run() external returns (address pair) {
        string memory artifact = vm.readFile("node_modules/@uniswap/v2-core/build/UniswapV2Factory.json");
        bytes memory creation = vm.parseBytes(string.concat("0x", vm.parseJsonString(artifact, ".bytecode")));
        bytes memory code = abi.encodePacked(creation, abi.encode(msg.sender));
        vm.startBroadcast();
        Coin a = new Coin("Alpha", "ALPHA");
        Coin b = new Coin("Beta", "BETA");
        Factory factory;
        assembly {
            factory := create(0, add(code, 0x20), mload(code))
        }
        require(address(factory).code.length > 0, "factory not deployed");
        pair = factory.createPair(address(a), address(b));
        require(factory.getPair(address(b), address(a)) == pair, "pair not registered");

        require(a.transfer(pair, LIQUIDITY), "transfer");
        require(b.transfer(pair, LIQUIDITY), "transfer");
        require(Pair(pair).mint(msg.sender) == LIQUIDITY - 1000, "liquidity");

        // x*y=k with a fee of 0.3 %, as in UniswapV2Library.getAmountOut.
        uint256 bought = (PAID * 997 * LIQUIDITY) / (LIQUIDITY * 1000 + PAID * 997);
        uint256 before = b.balanceOf(msg.sender);
        require(a.transfer(pair, PAID), "transfer");
        bool first = Pair(pair).token0() == address(a);
        Pair(pair).swap(first ? 0 : bought, first ? bought : 0, msg.sender, "");
        vm.stopBroadcast();

        require(b.balanceOf(msg.sender) == before + bought, "nothing bought");
        (uint112 r0, uint112 r1,) = Pair(pair).getReserves();
        require(uint256(r0) + r1 == 2 * LIQUIDITY + PAID - bought, "reserves");
    }
}
