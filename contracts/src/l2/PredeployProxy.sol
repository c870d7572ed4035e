// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Proxy} from "@openzeppelin/contracts/proxy/Proxy.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";

/// @title PredeployProxy
/// @notice Stands at the address of an upgradeable predeploy. Its admin, and nobody else,
///         sees functions of its own; every other call is the implementation's.
/// @dev OP Stack specification, "Predeploys": the functions are those of its Proxy. Genesis
///      writes admin and implementation to the slots of EIP-1967; no constructor runs,
///      which is why OpenZeppelin's transparent proxy, with its admin in the code, is not it.
contract PredeployProxy is Proxy {
    modifier forAdmin() {
        if (msg.sender == ERC1967Utils.getAdmin()) {
            _;
        } else {
            _fallback();
        }
    }

    /// @notice Calls the implementation.
    receive() external payable {
        _fallback();
    }

    /// @notice Changes the implementation.
    function upgradeTo(address _newImplementation) external forAdmin {
        ERC1967Utils.upgradeToAndCall(_newImplementation, "");
    }

    /// @notice Changes the implementation and calls it in the same step.
    function upgradeToAndCall(address _newImplementation, bytes calldata _data) external payable forAdmin {
        ERC1967Utils.upgradeToAndCall(_newImplementation, _data);
    }

    /// @notice Changes who may change the implementation.
    function changeAdmin(address _newAdmin) external forAdmin {
        ERC1967Utils.changeAdmin(_newAdmin);
    }

    /// @notice Who may change the implementation.
    function admin() external forAdmin returns (address) {
        return ERC1967Utils.getAdmin();
    }

    /// @notice The code that runs here.
    function implementation() external forAdmin returns (address) {
        return ERC1967Utils.getImplementation();
    }

    function _implementation() internal view override returns (address) {
        return ERC1967Utils.getImplementation();
    }
}
