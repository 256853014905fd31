namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Cuts that kernels of products come in, the largest first.</summary>
internal static class GemmTiles
{
    /// <summary>Counts up when kernels change: what was measured of others no longer counts.</summary>
    public const int Version = 1;

    public static IReadOnlyList<GemmTile> Mma { get; } =
    [
        new(128, 256, 64, 64, 128, 3, 1),
        new(256, 128, 64, 64, 128, 3, 1),
        new(128, 128, 64, 64, 128, 3, 2),
        new(128, 256, 64, 64, 64, 4, 1),
        new(256, 128, 64, 64, 64, 4, 1),
        new(128, 128, 64, 64, 64, 4, 2),
        new(128, 64, 64, 32, 64, 4, 3),
        new(64, 128, 32, 64, 64, 4, 3),
        new(64, 64, 32, 32, 128, 4, 3),
        new(64, 64, 32, 32, 64, 4, 4),
        new(32, 64, 16, 32, 128, 4, 4),
    ];

    public static IReadOnlyList<GemmTile> Simt { get; } =
    [
        SimtGemm.Tile(256, 128, 64, 1),
        SimtGemm.Tile(128, 256, 64, 1),
        SimtGemm.Tile(128, 128, 64, 2),
        SimtGemm.Tile(64, 64, 32, 6),
    ];
}
