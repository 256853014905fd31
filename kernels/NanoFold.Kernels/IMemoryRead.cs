namespace NanoFold.Kernels;

/// <summary>Reads memory as fast as it comes: the yardstick of what waits for memory.</summary>
public interface IMemoryRead
{
    /// <summary>Reads a contiguous real view once, with all threads.</summary>
    /// <returns>Its sum, so that nothing of it can be left out; not compensated, unlike <see cref="Backend.Sum"/>, which is slower for it.</returns>
    double Read(in View x);
}
