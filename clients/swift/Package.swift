// swift-tools-version:5.9
import PackageDescription

let strict: [SwiftSetting] = [.enableExperimentalFeature("StrictConcurrency")]

let package = Package(
    name: "MusicGenClient",
    platforms: [.macOS(.v12), .iOS(.v15), .tvOS(.v15), .visionOS(.v1)],
    products: [.library(name: "MusicGenClient", targets: ["MusicGenClient"])],
    targets: [
        .target(name: "MusicGenClient", swiftSettings: strict),
        .testTarget(name: "MusicGenClientTests", dependencies: ["MusicGenClient"], swiftSettings: strict),
    ]
)
