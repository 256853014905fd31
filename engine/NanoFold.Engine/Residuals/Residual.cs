using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Residuals;

/// <summary>The residual connection of one sub-block.</summary>
public abstract class Residual
{
    /// <param name="context">What the recording shares.</param>
    /// <param name="x">The stream that the sub-block read, [B, T, C].</param>
    /// <param name="y">What it made of it, of the same shape; used nowhere else.</param>
    /// <returns>The stream after it.</returns>
    public abstract Tensor Join(ForwardContext context, Tensor x, Tensor y);
}
