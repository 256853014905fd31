namespace NanoFold.Kernels.Profiling;

/// <summary>What one thread did in one run of the worker pool.</summary>
/// <param name="Work">Type of the work items.</param>
/// <param name="Started">In ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
/// <param name="Ended">In ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
/// <param name="Items">Items that it did.</param>
public readonly record struct WorkEvent(Type Work, long Started, long Ended, long Items);
