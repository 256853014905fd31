using System.Reflection;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>
/// Every program that the backend may ask a CUDA driver for, written without a device: those of the PTX writer (products, flash attention) and the works that ILGPU compiles.
/// </summary>
/// <remarks>
/// Products come in every family, tile, type, layout and mode, with whole rows and with rows of odd length, and with further edges and epilogues in the layouts that have
/// them; the full product of all that a <see cref="Gemm.GemmSpec"/> can say is not written out.
/// </remarks>
public sealed class GpuPrograms : IDisposable
{
    private readonly ThreadLocal<WorkCompiler> _compilers = new(() => new WorkCompiler(), trackAllValues: true);

    /// <param name="formulas">Where formulas of pointwise ops and of updates are found: the engine.</param>
    public GpuPrograms(Assembly formulas)
        => All = [.. AttentionPrograms.All, .. ProductPrograms.All, .. GatedPrograms.Of(formulas), .. RotatedPrograms.All, .. RowSumPrograms.All, .. new Works(formulas).All().Select(Of)];

    /// <summary>Those of the PTX writer first. Several threads may write them.</summary>
    public IReadOnlyList<GpuProgram> All { get; }

    /// <summary>One of each group.</summary>
    public IReadOnlyList<GpuProgram> Sample => [.. All.DistinctBy(program => program.Group)];

    public void Dispose()
    {
        foreach (WorkCompiler compiler in _compilers.Values)
        {
            compiler.Dispose();
        }

        _compilers.Dispose();
    }

    private GpuProgram Of(Type work)
        => new(WorkPtx.FileName(work), WorkPtx.Group(work), () => new GpuProgramText(WorkPtx.Numbered(_compilers.Value!.ToPtx(work, WorkPtx.Architecture)), 0, 0));
}
