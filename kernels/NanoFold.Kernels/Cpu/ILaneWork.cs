using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>Work items of a kernel written once for every lane; see <see cref="CpuContext.Run{TWork}(DType, long, ref TWork, bool)"/>.</summary>
public interface ILaneWork
{
    void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>;
}
