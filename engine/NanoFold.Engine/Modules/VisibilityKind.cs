namespace NanoFold.Engine.Modules;

/// <summary>What tokens learn of each other in a model.</summary>
public enum VisibilityKind
{
    /// <summary>A token sees those before it, so that a text can be made token by token.</summary>
    Causal,

    /// <summary>A token sees all tokens of its row.</summary>
    Full,

    /// <summary>A token sees those before it and the first ones of its row, as many as the task says for each row.</summary>
    Prefix,
}
