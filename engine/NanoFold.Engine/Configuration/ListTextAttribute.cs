using System.Text.Json.Nodes;

namespace NanoFold.Engine.Configuration;

/// <summary>Says of a record that a list of it can also be written as one text.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal abstract class ListTextAttribute : Attribute
{
    /// <summary>The list that a text stands for, or null and what is wrong with it.</summary>
    public abstract JsonArray? Parse(string text, out string problem);
}
