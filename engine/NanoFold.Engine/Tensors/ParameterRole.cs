namespace NanoFold.Engine.Tensors;

/// <summary>What a parameter is for; decides its optimizer, decay and place in the store.</summary>
public enum ParameterRole
{
    /// <summary>A hidden matrix, or a stack of them: Muon's where Muon is chosen.</summary>
    Matrix,

    /// <summary>Output head, router: with decay.</summary>
    Head,

    /// <summary>Token and position embeddings: no decay.</summary>
    Embedding,

    /// <summary>Gains and biases: no decay.</summary>
    Vector,
}
