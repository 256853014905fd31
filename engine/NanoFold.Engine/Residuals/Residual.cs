using NanoFold.Engine.Modules;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Residuals;

/// <summary>
/// The residual stream of a model: how it begins with the embedding, how sub-blocks are connected to it, what of it tools see between them, and how it ends
/// before the last norm. What is carried from one to the next is a list of tensors, whose meaning is the variant's own.
/// </summary>
public abstract class Residual
{
    /// <summary>Points of the stream at a place of a block: <c>pre</c>, <c>mid</c> or <c>post</c>, named from the block; the last is <c>hook_resid_…</c>.</summary>
    public virtual IReadOnlyList<TapPoint> StreamPoints(string place) => [new($"hook_resid_{place}", "B T C")];

    /// <summary>Points of how the stream ends, named from the model.</summary>
    public virtual IReadOnlyList<TapPoint> EndPoints => [];

    /// <summary>Declares the parameters of one sub-block's connection, where it has any, and returns its module.</summary>
    /// <param name="builder">Of the block.</param>
    /// <param name="name">As in <c>attn_residual</c>: before the names of its parameters and points.</param>
    public abstract Connection Connect(ModuleBuilder builder, string name);

    /// <summary>The same where it matters what the sub-block is.</summary>
    /// <inheritdoc cref="Connect(ModuleBuilder, string)"/>
    public virtual Connection Connect(ModuleBuilder builder, string name, SubBlockKind kind) => Connect(builder, name);

    /// <summary>The stream before the first block, from the embedding [B, T, C].</summary>
    public virtual IReadOnlyList<Tensor> Begin(ForwardContext context, Tensor embedding) => [embedding];

    /// <summary>
    /// Names the stream at a place. <c>hook_resid_…</c> [B, T, C] means for tools what it means where sub-blocks add: all that was written so far, summed. Where an
    /// editor replaces it, the sum is split evenly among what is carried, so that nothing of before gets past the edit.
    /// </summary>
    /// <returns>The stream, or what an editor made of it.</returns>
    public abstract IReadOnlyList<Tensor> At(ForwardContext context, string place, IReadOnlyList<Tensor> stream);

    /// <summary>What the last norm reads [B, T, C].</summary>
    public abstract Tensor End(ForwardContext context, IReadOnlyList<Tensor> stream);
}

/// <summary>The connection of one sub-block to the residual stream.</summary>
public abstract class Connection
{
    /// <summary>Its points, named from the block.</summary>
    public virtual IReadOnlyList<TapPoint> TapPoints => [];

    /// <param name="context">What the recording shares.</param>
    /// <param name="stream">The stream before the sub-block.</param>
    /// <param name="subBlock">Records what the sub-block makes of what it reads, [B, T, C] of [B, T, C]; called once, and what it returns is used nowhere else.</param>
    /// <returns>The stream after it.</returns>
    public abstract IReadOnlyList<Tensor> Around(ForwardContext context, IReadOnlyList<Tensor> stream, Func<Tensor, Tensor> subBlock);
}
