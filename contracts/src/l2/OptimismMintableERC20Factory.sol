// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OptimismMintableERC20} from "./OptimismMintableERC20.sol";

/// @title OptimismMintableERC20Factory
/// @notice Predeploy at 0x4200000000000000000000000000000000000012: makes tokens that stand
///         for one of L1. Anybody may; who bridges names both tokens, so that a token
///         which nobody names is worth nothing.
/// @dev OP Stack specification, "OptimismMintableERC20Factory".
contract OptimismMintableERC20Factory {
    /// @notice A token must stand for another.
    error NoRemoteToken();

    /// @notice A token was made; the event's older form.
    event StandardL2TokenCreated(address indexed remoteToken, address indexed localToken);
    /// @notice A token was made.
    event OptimismMintableERC20Created(address indexed localToken, address indexed remoteToken, address deployer);

    /// @notice The bridge of L2, which mints and burns.
    /// @dev Slot 0. Genesis writes it.
    address public bridge;
    /// @notice The remote token of a token made here; zero for others.
    /// @dev Slot 1.
    mapping(address localToken => address remoteToken) public deployments;

    /// @notice As `createOptimismMintableERC20`, by its former name.
    function createStandardL2Token(address _remoteToken, string memory _name, string memory _symbol)
        external
        returns (address)
    {
        return createOptimismMintableERC20(_remoteToken, _name, _symbol);
    }

    /// @notice The bridge of L2.
    function BRIDGE() external view returns (address) {
        return bridge;
    }

    /// @notice Version of this contract.
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @notice Makes a token with 18 decimals.
    /// @param _remoteToken The token of L1.
    /// @param _name        Name.
    /// @param _symbol      Symbol.
    /// @return The token's address, which follows from the parameters.
    function createOptimismMintableERC20(address _remoteToken, string memory _name, string memory _symbol)
        public
        returns (address)
    {
        return createOptimismMintableERC20WithDecimals(_remoteToken, _name, _symbol, 18);
    }

    /// @notice Makes a token; reverts if one with the same parameters exists.
    /// @param _remoteToken The token of L1.
    /// @param _name        Name.
    /// @param _symbol      Symbol.
    /// @param _decimals    Decimals; those of the remote token.
    /// @return The token's address, which follows from the parameters.
    function createOptimismMintableERC20WithDecimals(
        address _remoteToken,
        string memory _name,
        string memory _symbol,
        uint8 _decimals
    ) public returns (address) {
        if (_remoteToken == address(0)) revert NoRemoteToken();
        bytes32 salt = keccak256(abi.encode(_remoteToken, _name, _symbol, _decimals));
        address token = address(new OptimismMintableERC20{salt: salt}(bridge, _remoteToken, _name, _symbol, _decimals));
        deployments[token] = _remoteToken;
        emit StandardL2TokenCreated(_remoteToken, token);
        emit OptimismMintableERC20Created(token, _remoteToken, msg.sender);
        return token;
    }
}
