using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Server;

/// <summary>What is served.</summary>
/// <param name="Name">By which clients ask for it.</param>
/// <param name="Model">In float32; not disposed here.</param>
/// <param name="Tokenizer">The one that it was trained with.</param>
/// <param name="Defaults">How texts are sampled where a request does not say it.</param>
/// <param name="Chat">How a conversation becomes a prompt.</param>
public sealed record ServedModel(string Name, Transformer Model, Tokenizer Tokenizer, GenerationConfig Defaults, ChatTemplate Chat)
{
    /// <summary>What ends an answer in a chat besides the tokenizer's own mark.</summary>
    internal ChatEnd ChatEnd { get; } = ChatEnd.Of(Chat, Tokenizer);

    /// <summary>Tokens that the model sees.</summary>
    public int Context => Model.Config.Context;

    /// <summary>Tokens that a prompt may have: as many as the model can see with one more, or any number where it goes on beyond its context.</summary>
    internal int MostPromptTokens => Model.SlidesOn ? int.MaxValue : Context - 1;
}
