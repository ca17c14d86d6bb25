package dev.tandem.text.chat;

import java.beans.FeatureDescriptor;
import java.util.Collections;
import java.util.Iterator;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.ELResolver;
import jinjava.javax.el.PropertyNotFoundException;

/**
 * Resolves nothing. Jinjava's own expression language looks into Java objects with what stands in
 * this place; templates are not evaluated with it, and if something of Jinjava were, it would find
 * no property, no method, and neither the interpreter nor its configuration.
 */
final class NoBeans extends ELResolver {
  @Override
  public Object getValue(ELContext context, Object base, Object property) {
    throw refusal(base, property);
  }

  @Override
  public Object invoke(
      ELContext context, Object base, Object method, Class<?>[] types, Object[] parameters) {
    throw refusal(base, method);
  }

  @Override
  public Class<?> getType(ELContext context, Object base, Object property) {
    throw refusal(base, property);
  }

  @Override
  public void setValue(ELContext context, Object base, Object property, Object value) {
    throw refusal(base, property);
  }

  @Override
  public boolean isReadOnly(ELContext context, Object base, Object property) {
    return true;
  }

  @Override
  public Iterator<FeatureDescriptor> getFeatureDescriptors(ELContext context, Object base) {
    return Collections.emptyIterator();
  }

  @Override
  public Class<?> getCommonPropertyType(ELContext context, Object base) {
    return Object.class;
  }

  private static PropertyNotFoundException refusal(Object base, Object property) {
    return new PropertyNotFoundException(
        "'" + property + "' of " + (base == null ? "nothing" : "a " + base.getClass().getName()));
  }
}
