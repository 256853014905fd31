namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Families of kernels for products.</summary>
internal enum GemmFamily
{
    /// <summary>Tensor cores.</summary>
    Mma,

    /// <summary>Multiply-adds in float.</summary>
    Simt,

    /// <summary>Multiply-adds in float, a warp a few columns: for few rows.</summary>
    FewRows,

    /// <summary>Adds the slices of a split depth and does what is left.</summary>
    Reduce,
}

/// <summary>One kernel: its family, what it computes, its tile.</summary>
internal readonly record struct GemmKernelKey(GemmFamily Family, GemmSpec Spec, GemmTile Tile)
{
    /// <summary>For people, as in <c>Mma(BFloat16, nt, 128x128x64 64x64 s4 b2)</c>.</summary>
    public string Name => Family == GemmFamily.Reduce
        ? $"{Family}({Spec.Output})"
        : $"{Family}({Spec.Input}, {(Spec.ColumnsA ? 't' : 'n')}{(Spec.ColumnsB ? 't' : 'n')}{(Spec.Mode == GemmMode.Batch ? "" : $", {Spec.Mode}")}, {Tile})";

    /// <param name="architecture">Compute capability of the device; the text is for this and later ones.</param>
    public Ptx.PtxProgram Write(int architecture = 80) => Family switch
    {
        GemmFamily.Mma => MmaGemm.Write(Spec, Tile, architecture),
        GemmFamily.Simt => SimtGemm.Write(Spec, Tile),
        GemmFamily.FewRows => FewRowsGemm.Write(Spec, Tile),
        _ => SliceSum.Write(Spec),
    };
}

/// <summary>How a product is done: by which kernel, and in how many slices of its depth.</summary>
internal readonly record struct GemmChoice(GemmFamily Family, GemmTile Tile, int Slices = 1)
{
    public override string ToString() => $"{Family} {Tile}{(Slices > 1 ? $" k/{Slices}" : "")}";
}
