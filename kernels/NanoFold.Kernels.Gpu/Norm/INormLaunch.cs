using NanoFold.Kernels.Gpu.Loops;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>A norm's pass that is about to run: how its rows are shared out is all that is open.</summary>
internal interface INormLaunch
{
    /// <summary>Runs the kernel that adds up by <typeparamref name="TSum"/> and has <typeparamref name="TPieces"/> of a row a lane.</summary>
    void Run<TSum, TPieces>(in NormSplit split)
        where TSum : struct, ILaneSum
        where TPieces : struct, IPieces<TPieces>;
}
