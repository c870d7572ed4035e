// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {PredeployProxy} from "./PredeployProxy.sol";

/// @title PredeployAdmin
/// @notice Predeploy at 0x4200000000000000000000000000000000000018: upgrades the others. Its
///         owner is the timelock of L1 under its L2 alias, so that an upgrade of L2 is a
///         deposit that waited as long as any upgrade of L1.
/// @dev OP Stack specification, "ProxyAdmin". Genesis writes the owner to slot 0.
contract PredeployAdmin is Ownable {
    /// @param owner_ Who may upgrade. Genesis runs no constructor and writes slot 0.
    constructor(address owner_) Ownable(owner_) {}

    /// @notice Changes the implementation of a predeploy.
    function upgrade(PredeployProxy _proxy, address _implementation) external onlyOwner {
        _proxy.upgradeTo(_implementation);
    }

    /// @notice Changes the implementation of a predeploy and calls it in the same step.
    function upgradeAndCall(PredeployProxy _proxy, address _implementation, bytes calldata _data)
        external
        payable
        onlyOwner
    {
        _proxy.upgradeToAndCall{value: msg.value}(_implementation, _data);
    }

    /// @notice Hands a predeploy to another admin.
    function changeProxyAdmin(PredeployProxy _proxy, address _newAdmin) external onlyOwner {
        _proxy.changeAdmin(_newAdmin);
    }

    /// @notice The code that runs at a predeploy.
    function getProxyImplementation(PredeployProxy _proxy) external returns (address) {
        return _proxy.implementation();
    }

    /// @notice Who may upgrade a predeploy: this contract.
    function getProxyAdmin(PredeployProxy _proxy) external returns (address) {
        return _proxy.admin();
    }
}
