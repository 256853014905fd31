using NanoFold.Kernels.Fused;
namespace NanoFold.Kernels.Cpu.Attention;
public sealed class CpuTopKAttention(CpuContext context)
{
    public void Forward(in AttentionArgs args, in View kept) { _ = context; }
    public void Backward(in AttentionArgs args, in View kept, in AttentionGradients g) { }
}
