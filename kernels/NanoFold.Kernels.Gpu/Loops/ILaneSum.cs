using ILGPU;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>
/// Sums over each run of <c>lanes</c> neighbouring threads, a power of two of them: so a group works on several rows at once.
/// All threads of the group call, each gets the sum of its own run. Kernels are compiled for the way that suits the device.
/// </summary>
internal interface ILaneSum
{
    /// <param name="shared">Room for a value of each thread of the group.</param>
    /// <param name="value">The thread's own.</param>
    /// <param name="lanes">Threads of a run.</param>
    static abstract float Sum(ArrayView<float> shared, float value, int lanes);

    /// <inheritdoc cref="Sum(ArrayView{float}, float, int)"/>
    static abstract Two Sum(ArrayView<Two> shared, Two value, int lanes);
}
