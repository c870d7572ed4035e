// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {BLS} from "../../src/da/BLS.sol";
import {CertificateVerifier} from "../../src/da/CertificateVerifier.sol";
import {OperatorRegistry} from "../../src/da/OperatorRegistry.sol";
import {Base} from "../Base.sol";
import {Vectors} from "./Vectors.sol";

/// @notice Cheatcode that Base does not declare.
interface Warp {
    function warp(uint256 timestamp) external;
}

/// @notice A registry and a verifier where the vectors expect them.
abstract contract CommitteeBase is Base {
    OperatorRegistry internal constant registry = OperatorRegistry(address(0x1001));
    CertificateVerifier internal constant verifier = CertificateVerifier(address(0x1002));
    uint16 internal constant THRESHOLD = 6_667;

    function setUp() public virtual {
        vm.etch(address(registry), address(new OperatorRegistry()).code);
        vm.etch(address(verifier), address(new CertificateVerifier()).code);
        registry.initialize(address(this));
        verifier.initialize(address(this), registry, 7411, THRESHOLD);
        warp(1_700_000_000);
    }

    function warp(uint256 timestamp) internal {
        Warp(address(vm)).warp(timestamp);
    }

    function account(uint256 i) internal pure returns (address) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return address(uint160(0x2000 + i)); // i is small
    }

    function cut(bytes memory data, uint256 start, uint256 length) internal pure returns (bytes memory out) {
        out = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            out[i] = data[start + i];
        }
    }

    function key(uint256 i) internal pure returns (bytes memory) {
        return cut(Vectors.KEYS, i * 192, 192);
    }

    function proof(uint256 i) internal pure returns (bytes memory) {
        return cut(Vectors.PROOFS, i * 96, 96);
    }

    function register(uint256 i) internal {
        vm.prank(account(i));
        registry.register(account(i), key(i), proof(i), "http://127.0.0.1:1");
    }

    function sealSeven() internal {
        for (uint256 i = 0; i < 7; ++i) {
            register(i);
            registry.setWeight(account(i), 1);
        }
        registry.sealEpoch();
    }

    /// @dev A copy with one byte changed.
    function flip(bytes memory data, uint256 place) internal pure returns (bytes memory out) {
        out = cut(data, 0, data.length);
        out[place] ^= 0x01;
    }
}

/// @notice A registry that takes keys without proofs, to be filled.
contract WideRegistry is OperatorRegistry {
    function put(address operator, bytes memory publicKey) external {
        operators[operator].publicKey = publicKey;
    }
}

contract OperatorRegistryTest is CommitteeBase {
    function test_operatorsRegisterAndEpochsFreezeThem() public {
        sealSeven();
        bytes memory frozen = registry.snapshot(1);
        vm.assertEq(frozen.length, 1 + 7 * 200, "length of the snapshot");
        vm.assertEq(uint256(uint8(frozen[0])), 0, "a snapshot stops who calls it");
        vm.assertEq(cut(frozen, 1, 8), hex"0000000000000001", "weight");
        vm.assertEq(cut(frozen, 9 + 200, 192), key(1), "key");
        registry.setWeight(account(3), 5);
        vm.assertEq(registry.snapshot(1), frozen, "an epoch does not change");
        registry.sealEpoch();
        vm.assertEq(cut(registry.snapshot(2), 1 + 3 * 200, 8), hex"0000000000000005", "weight in the next epoch");
        (address[] memory accounts, string[] memory urls) = registry.contacts(1);
        vm.assertEq(accounts.length, 7, "accounts");
        vm.assertEq(accounts[6], account(6), "account");
        vm.assertEq(bytes(urls[6]), bytes("http://127.0.0.1:1"), "URL");
    }

    function test_gasOfRegistering() public {
        register(0);
    }

    function test_theOwnerRegistersForOthers() public {
        registry.register(account(0), key(0), proof(0), "http://a");
        vm.assertEq(registry.operatorOf(account(0)).publicKey, key(0), "key");
        vm.prank(account(1));
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.NotAllowed.selector, account(1)));
        registry.register(account(0), key(0), proof(0), "http://a");
    }

    function test_rogueKeysAreRefused() public {
        vm.prank(account(6));
        vm.expectRevert(abi.encodePacked(OperatorRegistry.InvalidProof.selector));
        registry.register(account(6), Vectors.ROGUE_KEY, Vectors.ROGUE_PROOF, "http://a");
    }

    function test_proofsOfOthersAreRefused() public {
        vm.prank(account(1));
        vm.expectRevert(abi.encodePacked(OperatorRegistry.InvalidProof.selector));
        registry.register(account(1), key(0), proof(0), "http://a");
        vm.prank(account(0));
        vm.expectRevert(abi.encodePacked(OperatorRegistry.InvalidProof.selector));
        registry.register(account(0), key(0), proof(1), "http://a");
    }

    function test_keysThatAreNoneAreRefused() public {
        vm.expectRevert(abi.encodePacked(OperatorRegistry.InvalidKey.selector));
        registry.register(account(0), hex"00", proof(0), "http://a");
        vm.expectRevert(abi.encodePacked(OperatorRegistry.InvalidKey.selector));
        registry.register(account(0), new bytes(192), new bytes(96), "http://a");
        vm.expectRevert(abi.encodePacked(OperatorRegistry.InvalidProof.selector));
        registry.register(account(0), key(0), hex"00", "http://a");
        bytes memory off = flip(key(0), 191);
        vm.expectRevert(abi.encodePacked(BLS.InvalidPoint.selector));
        registry.register(account(0), off, proof(0), "http://a");
        bytes memory offProof = flip(proof(0), 95);
        vm.expectRevert(abi.encodePacked(BLS.InvalidPoint.selector));
        registry.register(account(0), key(0), offProof, "http://a");
    }

    function test_aKeyHasOneOwner() public {
        register(0);
        register(0); // again: the same owner may
        vm.prank(account(1));
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.KeyTaken.selector, account(0)));
        registry.register(account(1), key(0), Vectors.KEY_0_FOR_ACCOUNT_1, "http://a");
    }

    function test_gasOfSealingTheLargestCommittee() public {
        vm.etch(address(registry), address(new WideRegistry()).code);
        WideRegistry wide = WideRegistry(address(registry));
        for (uint256 i = 0; i <= 120; ++i) {
            wide.put(account(i), key(i % 7));
            if (i == 120) vm.expectRevert(abi.encodePacked(OperatorRegistry.CommitteeFull.selector));
            wide.setWeight(account(i), 1);
        }
        uint256 before = gasleft();
        wide.sealEpoch();
        vm.assertTrue(before - gasleft() < 2 ** 24 - 21_000, "sealing fits a transaction (EIP-7825)");
        vm.assertEq(wide.snapshot(1).length, 1 + 120 * 200, "length of the snapshot");
    }

    function test_urlsHaveALength() public {
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.InvalidUrl.selector, 0));
        registry.register(account(0), key(0), proof(0), "");
        string memory long = string(new bytes(257));
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.InvalidUrl.selector, 257));
        registry.register(account(0), key(0), proof(0), long);
        register(0);
        vm.prank(account(0));
        registry.setUrl("http://b");
        vm.assertEq(bytes(registry.operatorOf(account(0)).url), bytes("http://b"), "URL");
        vm.prank(account(1));
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.NotRegistered.selector, account(1)));
        registry.setUrl("http://b");
    }

    function test_operatorsResign() public {
        sealSeven();
        vm.prank(account(0));
        registry.resign();
        vm.prank(account(6));
        registry.resign();
        registry.sealEpoch();
        (address[] memory accounts,) = registry.contacts(2);
        vm.assertEq(accounts.length, 5, "members");
        vm.assertEq(registry.operatorOf(account(6)).weight, 0, "weight");
        (accounts,) = registry.contacts(1);
        vm.assertEq(accounts.length, 7, "members of the epoch before");
    }

    function test_weightsAreBounded() public {
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.NotRegistered.selector, account(0)));
        registry.setWeight(account(0), 1);
        register(0);
        vm.expectRevert(abi.encodeWithSelector(OperatorRegistry.WeightTooLarge.selector, uint64(2 ** 40 + 1)));
        registry.setWeight(account(0), 2 ** 40 + 1);
        registry.setWeight(account(0), 2 ** 40);
    }

    function test_strangersDecideNothing() public {
        register(0);
        bytes memory refusal =
            abi.encodeWithSelector(OwnableUpgradeable.OwnableUnauthorizedAccount.selector, account(0));
        vm.prank(account(0));
        vm.expectRevert(refusal);
        registry.setWeight(account(0), 1);
        vm.prank(account(0));
        vm.expectRevert(refusal);
        registry.sealEpoch();
        vm.prank(account(0));
        vm.expectRevert(refusal);
        verifier.setThreshold(6_000);
    }

    function test_emptyCommitteesAreNotSealed() public {
        vm.expectRevert(abi.encodePacked(OperatorRegistry.CommitteeEmpty.selector));
        registry.sealEpoch();
    }

    function test_epochsThatAreNotSealedAreUnknown() public {
        bytes memory refusal = abi.encodeWithSelector(OperatorRegistry.UnknownEpoch.selector, uint64(1));
        vm.expectRevert(refusal);
        registry.snapshot(1);
        vm.expectRevert(refusal);
        registry.contacts(1);
        vm.expectRevert(refusal);
        registry.validUntil(1);
    }

    function test_implementationsCannotBeTaken() public {
        OperatorRegistry r = new OperatorRegistry();
        vm.expectRevert(abi.encodePacked(Initializable.InvalidInitialization.selector));
        r.initialize(address(this));
        CertificateVerifier v = new CertificateVerifier();
        vm.expectRevert(abi.encodePacked(Initializable.InvalidInitialization.selector));
        v.initialize(address(this), r, 1, THRESHOLD);
        vm.assertEq(bytes(r.version()), bytes("0.1.0"), "version");
        vm.assertEq(bytes(v.version()), bytes("0.1.0"), "version");
    }
}

contract CertificateVerifierTest is CommitteeBase {
    function setUp() public override {
        super.setUp();
        sealSeven();
    }

    function check(bytes memory certificate, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        verifier.certify(certificate);
    }

    function test_aCertificateByFiveOfSevenCounts() public {
        vm.expectEmit(address(verifier));
        emit CertificateVerifier.BatchCertified(keccak256(Vectors.CERTIFICATE), account(9), Vectors.CERTIFICATE);
        vm.prank(account(9));
        vm.assertEq(verifier.certify(Vectors.CERTIFICATE), keccak256(Vectors.CERTIFICATE), "hash");
    }

    function test_aCertificateByAllCounts() public {
        vm.assertEq(verifier.certify(Vectors.BY_ALL), keccak256(Vectors.BY_ALL), "hash");
    }

    function test_fourOfSevenAreTooFew() public {
        check(
            Vectors.BY_FOUR, abi.encodeWithSelector(CertificateVerifier.BelowThreshold.selector, uint64(4), uint64(7))
        );
        verifier.setThreshold(5_714);
        verifier.certify(Vectors.BY_FOUR);
    }

    function test_whatWasNotSignedIsRefused() public {
        // Every byte of the statement counts: epoch, expiry, length and commitments.
        uint256[4] memory places = [uint256(16), 19, 30, 118];
        for (uint256 i = 0; i < places.length; ++i) {
            check(flip(Vectors.CERTIFICATE, places[i]), abi.encodePacked(CertificateVerifier.InvalidSignature.selector));
        }
    }

    function test_signersThatDidNotSignAreRefused() public {
        // Bits 0, 1, 3, 4, 6 are set; claim 5 too, or 2 instead of 1.
        uint256 place = 23 + 96 + 2;
        bytes memory more = cut(Vectors.CERTIFICATE, 0, Vectors.CERTIFICATE.length);
        more[place] = 0x7b;
        check(more, abi.encodePacked(CertificateVerifier.InvalidSignature.selector));
        more[place] = 0x5d;
        check(more, abi.encodePacked(CertificateVerifier.InvalidSignature.selector));
        more[place] = 0xdb;
        check(more, abi.encodePacked(CertificateVerifier.Malformed.selector));
    }

    function test_signaturesThatAreNoPointsAreRefused() public {
        check(flip(Vectors.CERTIFICATE, Vectors.CERTIFICATE.length - 1), abi.encodePacked(BLS.InvalidPoint.selector));
        bytes memory infinity = cut(Vectors.CERTIFICATE, 0, Vectors.CERTIFICATE.length);
        for (uint256 i = infinity.length - 96; i < infinity.length; ++i) {
            infinity[i] = 0;
        }
        check(infinity, abi.encodePacked(CertificateVerifier.InvalidSignature.selector));
    }

    function test_bytesThatAreNoCertificateAreRefused() public {
        bytes memory malformed = abi.encodePacked(CertificateVerifier.Malformed.selector);
        bytes memory c = Vectors.CERTIFICATE;
        check("", malformed);
        check(flip(c, 0), malformed);
        check(cut(c, 0, c.length - 1), malformed);
        check(abi.encodePacked(c, uint8(0)), malformed);
        check(flip(c, 22), malformed); // three commitments
        check(flip(c, 18), malformed); // more data than two blobs
        check(flip(c, 23 + 96 + 1), malformed); // a committee of six
        check(cut(c, 0, 22), malformed);
    }

    function test_lateCertificatesAreRefused() public {
        warp(2_000_000_000);
        verifier.certify(Vectors.CERTIFICATE);
        warp(2_000_000_001);
        check(Vectors.CERTIFICATE, abi.encodeWithSelector(CertificateVerifier.Expired.selector, uint64(2_000_000_000)));
    }

    function test_anEpochOverlapsTheNext() public {
        check(Vectors.OF_EPOCH_2, abi.encodeWithSelector(OperatorRegistry.UnknownEpoch.selector, uint64(2)));
        registry.sealEpoch();
        verifier.certify(Vectors.OF_EPOCH_2);
        warp(block.timestamp + 1 days);
        verifier.certify(Vectors.CERTIFICATE);
        uint64 until = registry.validUntil(1);
        warp(block.timestamp + 1);
        check(Vectors.CERTIFICATE, abi.encodeWithSelector(CertificateVerifier.EpochOver.selector, uint64(1), until));
        verifier.certify(Vectors.OF_EPOCH_2);
    }

    function test_certificatesAreForOneVerifierAndChain() public {
        CertificateVerifier elsewhere = CertificateVerifier(address(0x1003));
        vm.etch(address(elsewhere), address(verifier).code);
        elsewhere.initialize(address(this), registry, 7411, THRESHOLD);
        vm.expectRevert(abi.encodePacked(CertificateVerifier.InvalidSignature.selector));
        elsewhere.certify(Vectors.CERTIFICATE);
        CertificateVerifier other = CertificateVerifier(address(0x1004));
        vm.etch(address(other), address(verifier).code);
        other.initialize(address(this), registry, 7412, THRESHOLD);
        vm.assertTrue(other.domain() != verifier.domain(), "domains of two chains");
    }

    function test_thresholdsAreAboveHalf() public {
        vm.expectRevert(abi.encodeWithSelector(CertificateVerifier.InvalidThreshold.selector, uint16(5_000)));
        verifier.setThreshold(5_000);
        vm.expectRevert(abi.encodeWithSelector(CertificateVerifier.InvalidThreshold.selector, uint16(10_001)));
        verifier.setThreshold(10_001);
        verifier.setThreshold(10_000);
        check(
            Vectors.CERTIFICATE,
            abi.encodeWithSelector(CertificateVerifier.BelowThreshold.selector, uint64(5), uint64(7))
        );
    }

    function testFuzz_noOtherBytesCount(uint256 place, uint8 mask) public {
        vm.assume(mask != 0);
        bytes memory c = cut(Vectors.CERTIFICATE, 0, Vectors.CERTIFICATE.length);
        place = bound(place, 0, c.length - 1);
        c[place] ^= bytes1(mask);
        vm.expectRevert();
        verifier.certify(c);
    }
}
