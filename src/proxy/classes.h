#ifndef PROXY_CLASSES_H
#define PROXY_CLASSES_H

/* What a request is to a balancer; class.h decides which. */
enum class { CLASS_READ, CLASS_WRITE, CLASSES };

/* Room for the text of class_rule_text(). */
#define CLASS_RULE_BYTES 96

#endif
